"""What is Acme's own."""
