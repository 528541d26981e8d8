"""Closing the books: what is still to be done before days are closed, and closing them."""
