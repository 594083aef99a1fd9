"""Objectives of reward fine-tuning."""
