"""Judges: read valence, arousal and content in pictures, and advise on prompts."""
