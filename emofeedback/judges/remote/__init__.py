"""Judges behind a chat server."""
