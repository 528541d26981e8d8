"""Messages to buyers: the people of an order are notified of what happens to it, its parcels and returns."""
