"""The suite: every way to draw an emotion, on the same prompts, points and seeds, with what each of them costs."""
