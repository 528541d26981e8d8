"""The grocer: weighed goods, short-dated goods, delivery by the hour."""
