"""Recipes of the shipped models."""
