"""Files: written whole or not at all, checked, read back."""
