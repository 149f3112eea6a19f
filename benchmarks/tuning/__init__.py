"""Measurements of the producers."""
