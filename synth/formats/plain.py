"""The answer and nothing else, as the harness's own cards ask for it in reading and classification."""

from __future__ import annotations

from synth.formats.canonical import Answer
from synth.formats.format import Format, one_line
from synth.records import FACT_KEYS, Family, Instruction

UNANSWERABLE = "unanswerable"
"""The answer where the passage holds none, as in ``harness.prompts.reading``."""


def _write(asked: Instruction) -> str:
    found: list[str] = [fact[FACT_KEYS[asked.family][0]] for fact in asked.answer]
    return found[0] if found else UNANSWERABLE


def _read(content: str, asked: Instruction) -> Answer:
    if asked.family == Family.MRC and content == UNANSWERABLE:
        return ()
    return ({FACT_KEYS[asked.family][0]: content},)


def _carries(asked: Instruction) -> bool:
    if not asked.answer:
        return asked.family == Family.MRC
    if len(asked.answer) > 1:
        return False
    value = asked.answer[0][FACT_KEYS[asked.family][0]]
    if asked.family == Family.GENERAL:
        return bool(value) and value == value.strip()
    return bool(value) and one_line(value) and not (asked.family == Family.MRC and value == UNANSWERABLE)


def _describe(asked: Instruction) -> str:
    if asked.family == Family.MRC and asked.schema.labels:
        return "Give the right one alone, exactly as it is written."
    return _DESCRIPTIONS[asked.family]


_DESCRIPTIONS = {
    Family.MRC: f'Give the answer alone, on one line. If the passage does not tell, write "{UNANSWERABLE}".',
    Family.TC: "Give one label alone, exactly as it is written above.",
    Family.GENERAL: "",
}

PLAIN = Format(
    id="plain",
    families=(Family.MRC, Family.TC, Family.GENERAL),
    limits="more than one answer or label, no label, line breaks (but in a general response), white space at an end, "
    f"the answer {UNANSWERABLE}",
    start="line",
    describe=_describe,
    write=_write,
    read=_read,
    carries=_carries,
)
