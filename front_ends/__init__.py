"""Three business lines on the platform. None imports another, and nothing of the platform names them."""
