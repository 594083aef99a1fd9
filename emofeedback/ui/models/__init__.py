"""The Models tab: which generator and which judge work."""
