"""The bundled judge of the scene world."""
