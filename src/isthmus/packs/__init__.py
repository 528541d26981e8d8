"""The packs: one business domain each. A pack never imports another; outside of it only its `api` is visible."""
