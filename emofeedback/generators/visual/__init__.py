"""Visual prompts: the bank, the adapter, the encoders."""
