"""Rows of questions, classes and instructions to documents: machine reading, text classification, the general share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from synth.records import Schema
from synth.sources.readers import Reading, Row, Table

PIECE, GIVEN = 80, 20
"""Words of a piece of running text, and how many of them its instruction shows."""


def labelled(row: Row, table: Table) -> Iterator[Reading]:
    """A text with the number of its class; a row without one (-1) is left out."""
    number, text = int(row[table.entry.column("label")]), row[table.entry.column("text")].strip()
    if text and number >= 0:
        yield Reading(text, [{"label": table.classes[number]}], Schema(table.classes))


def span_question(row: Row, _: Table) -> Iterator[Reading]:
    """A passage and a question with its first answer; no answer where the passage has none."""
    answers = row["answers"]["text"]
    yield Reading(
        row["context"], [{"text": answers[0]}] if answers else [], Schema(), row["question"].strip(), row["context"]
    )


def yes_no_question(row: Row, table: Table) -> Iterator[Reading]:
    """A passage and a question that is answered with yes or no."""
    answer = "yes" if int(row[table.entry.column("answer")]) else "no"
    question = row["question"].strip()
    asked = question[0].upper() + question[1:] + ("" if question.endswith("?") else "?")
    yield Reading(row["passage"], [{"text": answer}], Schema(("yes", "no")), asked, row["passage"])


def options_question(row: Row, _: Table) -> Iterator[Reading]:
    """A passage with several questions, each with options."""
    text = "\n".join(row["documents"])
    for item in row["questions"]:
        options = tuple(dict.fromkeys(item["choice"]))
        if item["answer"] in options:
            yield Reading(text, [{"text": item["answer"]}], Schema(options), item["question"], text)


def multiple_choice(row: Row, table: Table) -> Iterator[Reading]:
    """A question with lettered options, without a passage."""
    options = row["choices"]
    right = dict(zip(options["label"], options["text"], strict=True)).get(row["answerKey"])
    if right is not None:
        question = row[table.entry.column("question")].strip()
        yield Reading(f"{question}\n{_listed(options['text'])}", [{"text": right}], Schema())


def gap(row: Row, _: Table) -> Iterator[Reading]:
    """A sentence with a gap and two words for it."""
    options = [row["option1"], row["option2"]]
    if row["answer"] in ("1", "2"):
        asked = f"Which word fits the gap?\n{row['sentence']}\n{_listed(options)}"
        yield Reading(asked, [{"text": options[int(row["answer"]) - 1]}], Schema())


def worked_sum(row: Row, _: Table) -> Iterator[Reading]:
    """A word problem with a worked answer; calculator marks are taken out."""
    answer = re.sub(r"<<[^>]*>>", "", row["answer"])
    worked, result = answer.split("####")
    yield Reading(row["question"].strip(), [{"text": f"{worked.strip()}\nThe answer is {result.strip()}."}], Schema())


def instruction_pair(row: Row, table: Table) -> Iterator[Reading]:
    """An instruction, with or without an input, and its answer."""
    instruction, output = (row[table.entry.column(role)].strip() for role in ("instruction", "output"))
    extra = (row.get("input") or "").strip()
    if instruction and output:
        yield Reading(f"{instruction}\n{extra}" if extra else instruction, [{"text": output}], Schema())


def instances(row: Row, _: Table) -> Iterator[Reading]:
    """An instruction with several inputs and outputs."""
    for item in row["instances"]:
        extra, output = str(item["input"]).strip(), str(item["output"]).strip()
        if output:
            text = f"{row['instruction'].strip()}\n{extra}" if extra else row["instruction"].strip()
            yield Reading(text, [{"text": output}], Schema(), key=row["instruction"])


def passages(row: Row, table: Table) -> Iterator[Reading]:
    """Running text in pieces of 80 words: the first 20 are given, the others asked for; a shorter rest is left out."""
    words = row[table.entry.column("text")].split()
    for start in range(0, len(words) - PIECE + 1, PIECE):
        given, rest = words[start : start + GIVEN], words[start + GIVEN : start + PIECE]
        asked = f"Continue the text.\n{' '.join(given)}"
        yield Reading(asked, [{"text": " ".join(rest)}], Schema(), key=" ".join(words[:GIVEN]))


def _listed(options: Sequence[str]) -> str:
    return "\n".join(f"- {option}" for option in options)
