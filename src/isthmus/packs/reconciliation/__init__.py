"""What providers and banks say of our money, against what we believe."""
