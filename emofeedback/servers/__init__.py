"""Talking to model servers and to the hub."""
