"""Producers of checkpoints: fine-tuning with TRL, merging, importing, and trainers of other projects."""
