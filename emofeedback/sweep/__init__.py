"""The plane as a continuum: sheets, paths, blends, and how evenly the picture changes."""
