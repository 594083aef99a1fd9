"""The Continuum tab: one prompt over the plane."""
