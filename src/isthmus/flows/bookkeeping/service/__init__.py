"""The bookings: each flow runs inside the transaction of what it books, and adds no round trip where it can."""
