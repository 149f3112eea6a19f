"""Measurements of synthesis."""
