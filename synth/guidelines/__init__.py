"""Guidelines synthesis: per label set a guideline that a teacher drafts, the data checks and a person approves."""

from synth.guidelines.checks import contradictions, problems
from synth.guidelines.drafting import draft
from synth.guidelines.guideline import Draft, Guideline, Item, Sample, guideline_of, guideline_row, labels_of
from synth.guidelines.label_sets import LabelSet, label_sets, labels_in, shown
from synth.guidelines.showing import ANGLES, show

__all__ = [
    "ANGLES",
    "Draft",
    "Guideline",
    "Item",
    "LabelSet",
    "Sample",
    "contradictions",
    "draft",
    "guideline_of",
    "guideline_row",
    "label_sets",
    "labels_in",
    "labels_of",
    "problems",
    "show",
    "shown",
]
