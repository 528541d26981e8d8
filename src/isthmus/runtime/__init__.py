"""Running front ends: loading, deploying, isolating, recording."""
