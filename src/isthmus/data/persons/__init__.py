"""One ID: members of several front ends resolved to persons."""
