"""The loop: draw, read, choose, advise, draw again."""
