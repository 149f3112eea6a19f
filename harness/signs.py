"""Names of the failure signatures: what a policy may gate and a reader may look up in docs/signatures.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """One kind of failure signature.

    Attributes:
        title: What it measures, in words.
        higher_is_worse: Whether more of it is worse.
        in_points: Whether it is a difference of scores, which is shown in points; otherwise it is a share.
        either_way: Whether a change in either direction is worse.
    """

    title: str
    higher_is_worse: bool = True
    in_points: bool = False
    either_way: bool = False


SIGNS: Mapping[str, Sign] = {
    "task_degradation": Sign("score of the task that fell most", higher_is_worse=False),
    "instruction_following": Sign("score of the tasks that check instructions", higher_is_worse=False),
    "flip_rate": Sign("0/1 outcomes that changed, in either direction"),
    "hallucinated_spans": Sign("predicted spans that are not in the text, above those of the gold", in_points=True),
    "hallucinated_spans_normalised": Sign("the same after normalisation of case, width and space", in_points=True),
    "format_consistency": Sign("agreement of the answers to several output formats", higher_is_worse=False),
    "format_all_correct": Sign("documents answered rightly in every output format", higher_is_worse=False),
    "format_spread": Sign("best minus worst score over output formats", in_points=True),
    "format_gap": Sign("score in seen output formats minus that in held-out ones", in_points=True),
    "phrasing_consistency": Sign("agreement of the answers to several phrasings", higher_is_worse=False),
    "phrasing_all_correct": Sign("documents answered rightly in every phrasing", higher_is_worse=False),
    "phrasing_spread": Sign("best minus worst score over phrasings", in_points=True),
    "phrasing_gap": Sign("score in seen phrasings minus that in held-out ones", in_points=True),
    "rule_following": Sign("answers that follow a swapped rule where it changes the gold", higher_is_worse=False),
    "rule_ignoring": Sign("answers that keep to the default rule where a swapped one changes the gold"),
    "label_rename_gap": Sign("score with the labels' own names minus that with new names", in_points=True),
    "label_order_gap": Sign("score with labels in the usual order minus that in another", in_points=True),
    "schema_size_gap": Sign("score with as many labels per prompt as in training minus other sizes", in_points=True),
    "other_format": Sign("answers in another format than the one that was asked for"),
    "unprompted_format": Sign("answers to general prompts in a format that nobody asked for"),
    "repetition": Sign("answers to general prompts that repeat themselves"),
    "answer_length": Sign("length of the answers to general prompts, relative to the baseline's", either_way=True),
}
"""Every sign by its name."""
