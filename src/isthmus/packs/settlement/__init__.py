"""What sellers and other front ends are paid: what is due, drawn up, approved, paid out."""
