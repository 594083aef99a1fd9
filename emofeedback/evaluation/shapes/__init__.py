"""Speed of published model shapes with random weights."""
