"""Governance: what the catalogue, compatibility and thinness say of a release; knows no domain."""
