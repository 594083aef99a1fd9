"""History: runs and sweeps that were kept, their index, and their export."""
