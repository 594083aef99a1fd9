"""The renderer of the scene world: SVG drawings on a 100 x 100 square, rasterised at any size."""
