"""Products: bundles of answers that several front ends switch on. They hold answers and nothing else."""
