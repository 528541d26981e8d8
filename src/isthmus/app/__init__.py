"""A platform put together from its settings: packs, front ends, servers, jobs. No pack is named here."""
