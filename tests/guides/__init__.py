"""Guides are followed word for word, by somebody who knows nothing else."""
