"""Owns who may call what, as Cedar policies say it. Knows no credentials: who calls is told by the way in."""
