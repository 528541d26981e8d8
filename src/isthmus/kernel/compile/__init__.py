"""From declarations to a release: everything is checked once, and each front end gets its compiled plans."""
