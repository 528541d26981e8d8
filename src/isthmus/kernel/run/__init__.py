"""Running calls: the one pipeline, the context of a call, sagas, group commit."""
