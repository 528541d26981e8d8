"""Messages to buyers: what happens to orders, parcels and returns is told to whom they are for."""
