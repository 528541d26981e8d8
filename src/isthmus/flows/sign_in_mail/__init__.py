"""Mails with links to sign in by: what somebody asks for at a shop is written to their address."""
