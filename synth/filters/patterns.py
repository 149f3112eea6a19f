"""Filters of what must not be learned by heart (keys, ways to reach a person) or written (abuse), by patterns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import yaml

from synth.filters.filter import Check, Filter, Work
from synth.records import Annotation, Example


def _check(kind: str, parts: Callable[[Example], Sequence[str]], work: Work) -> Check:
    found_by = {"secrets": SECRETS, "toxicity": TOXICITY}[kind]

    def check(examples: Sequence[Example]) -> list[Annotation]:
        texts = dict.fromkeys(text for example in examples for text in parts(example))
        found = {text: counts for text in texts if (counts := occurrences(kind, text))}
        return [annotation([found[text] for text in parts(example) if text in found]) for example in examples]

    def annotation(found: Sequence[Counter[str]]) -> Annotation:
        counts = dict(sorted(sum(found, Counter[str]()).items()))
        names = ", ".join(counts).replace("_", " ")
        return found_by.found(not counts, counts, f"it holds: {names}")

    return check


def occurrences(kind: str, text: str) -> Counter[str]:
    """How often each pattern of a kind occurs in a text.

    Args:
        kind: ``secrets`` or ``toxicity``.
        text: The text.
    """
    return Counter(str(match.lastgroup) for match in _pattern(kind).finditer(text))


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    patterns = yaml.safe_load(Path(__file__).with_name("patterns.yaml").read_text(encoding="utf-8"))[kind]
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns.items()))


def _all(example: Example) -> Sequence[str]:
    asked = example.instruction
    return (asked.text, asked.question or "", example.completion)


def _completion(example: Example) -> Sequence[str]:
    return (example.completion,)


SECRETS = Filter("secrets", "1", partial(_check, "secrets", _all))
"""Text, question and completion hold no key, password, e-mail address or telephone number. Value: number by pattern."""

TOXICITY = Filter("toxicity", "1", partial(_check, "toxicity", _completion))
"""The completion, which the model learns to write, holds no abuse; the text may, as data about abuse does. Value:
number by pattern."""
