"""Existing HTTP services as packs, from their OpenAPI documents."""
