"""A version in the shadow of the one that runs: compared on live calls, and never answering."""
