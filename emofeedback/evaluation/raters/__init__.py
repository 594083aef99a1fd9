"""The second rater, which grades and never guides."""
