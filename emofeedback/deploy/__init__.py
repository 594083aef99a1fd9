"""Running the studio elsewhere: models to choose from, Spaces, ZeroGPU, checks, soak."""
