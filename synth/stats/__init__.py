"""What a corpus is like: diversity, shares, labels, lengths, the way through the filters, and what it cost."""

from synth.stats.report import stats

__all__ = ["stats"]
