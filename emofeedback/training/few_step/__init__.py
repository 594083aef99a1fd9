"""The recipe of the few-step student."""
