"""What identity keeps in PostgreSQL, through the platform's own sessions."""
