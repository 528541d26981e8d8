"""Bundles of answers that several front ends switch on."""
