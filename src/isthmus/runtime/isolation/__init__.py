"""Where a front end's answers run: inline under a watchdog, in worker processes, or in a service."""
