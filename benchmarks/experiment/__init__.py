"""Benchmarks of the experiment runner."""
