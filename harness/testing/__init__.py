"""Contracts as library functions, for authors of cards and producers and for the tests of their packages."""

from harness.testing.cards import BuiltTask, check_card, empty_answers, gold_answers, headline
from harness.testing.problem import Problem
from harness.testing.producers import check_producer

__all__ = ["BuiltTask", "Problem", "check_card", "check_producer", "empty_answers", "gold_answers", "headline"]
