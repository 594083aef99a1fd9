"""Training recipes of the bundled models and reward fine-tuning."""
