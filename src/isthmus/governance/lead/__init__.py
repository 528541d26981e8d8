"""How long a change of a front end takes until it is live, what it waits for, and what waiting costs."""
