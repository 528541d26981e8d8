"""The commands of ventures: `group` puts them together. Nothing here: what a pack holds is looked through at start."""
