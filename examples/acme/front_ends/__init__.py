"""Business lines: each folder is one."""
