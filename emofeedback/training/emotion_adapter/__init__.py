"""The recipe of emotion adapters for text encoders of other generators."""
