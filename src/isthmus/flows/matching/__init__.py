"""What we believe goes to reconciliation after it happened, and what resolves a difference goes to the books."""
