"""What the capabilities of webhooks do, and the sender."""
