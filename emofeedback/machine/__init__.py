"""What belongs to the machine: processes, what libraries print."""
