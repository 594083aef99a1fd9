"""Text and valence-arousal to image."""
