"""Filters annotate examples and delete none: each with a name, a version, a value and a reason."""

from synth.filters.annotate import Counts, annotate
from synth.filters.filter import Check, Context, Filter, Work
from synth.filters.judge import Judgement
from synth.filters.registry import FILTERS, chosen_filters

__all__ = ["FILTERS", "Check", "Context", "Counts", "Filter", "Judgement", "Work", "annotate", "chosen_filters"]
