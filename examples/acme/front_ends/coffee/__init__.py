"""Coffee: a front end of its own, owned by coffee."""
