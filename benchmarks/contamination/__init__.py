"""Speed and memory of ``harness contamination``."""
