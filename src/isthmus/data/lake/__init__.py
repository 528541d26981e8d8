"""Where the data lies: landing, snapshots, erasure, retention."""
