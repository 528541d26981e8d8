"""A front end on its way to live: loaded, checked, versioned, rolled out, rolled back."""
