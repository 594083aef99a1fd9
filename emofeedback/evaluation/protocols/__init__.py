"""What is measured, one protocol a file."""
