"""What comes in through a broker, and what carries events to it."""
