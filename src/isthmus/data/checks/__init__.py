"""What is checked of model and data: quality rules, general truths, the reviewed lock file."""
