"""The ladder from what stands outside to what everybody relies on: entry and demotion by observed facts."""
