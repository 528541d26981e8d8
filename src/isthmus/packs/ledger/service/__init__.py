"""What the ledger's capabilities do."""
