"""What sellers and other front ends are paid: what is due, prepared, approved, paid out."""
