"""What ventures send, and what they owe."""
