"""The bundled generator of the scene world."""
