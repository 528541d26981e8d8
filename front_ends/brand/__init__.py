"""The brand's own shop: one maker, members in tiers."""
