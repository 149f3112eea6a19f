"""Preference-rules synthesis: other rules for the same texts, relabelled by an interpreter or by teachers."""

from synth.rules.accepting import accept, decide, probes
from synth.rules.interpreter import OPERATIONS, apply, checked, invented
from synth.rules.proposing import Proposals, held_out_names, propose
from synth.rules.relabelling import Relabelled, relabelled
from synth.rules.rule import Call, Decision, Kind, Rule, rule_of, rule_row
from synth.rules.wording import wording

__all__ = [
    "OPERATIONS",
    "Call",
    "Decision",
    "Kind",
    "Proposals",
    "Relabelled",
    "Rule",
    "accept",
    "apply",
    "checked",
    "decide",
    "held_out_names",
    "invented",
    "probes",
    "propose",
    "relabelled",
    "rule_of",
    "rule_row",
    "wording",
]
