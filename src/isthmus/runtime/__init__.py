"""Front ends at work: loading, deploying, isolating, recording."""
