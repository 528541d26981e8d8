"""Owns who may call what, as Cedar policies say it. Knows no credentials: the gateway says who calls."""
