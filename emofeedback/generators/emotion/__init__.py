"""How valence and arousal enter a generator: the adapter, the text adapter, words."""
