"""The scene world: a grammar of illustrated scenes, their look, their captions and their affect."""
