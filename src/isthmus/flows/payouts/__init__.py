"""What is due goes to settlement as it is booked, and what is settled goes to the books."""
