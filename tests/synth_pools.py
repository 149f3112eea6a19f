"""Pools of filtered examples for tests of mix and stats, made of sentences of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from synth.formats import FORMATS, example, train_phrasings
from synth.records import Annotation, Example, Family, Instruction, Schema, as_row
from synth.shards import write_shards

NAMES = ("Ann Lee", "Bob", "Iris Prado", "Tomas", "Mira")
CITIES = ("Lima", "Porto", "Graz", "Oslo")
VARIANTS = ("json", "yaml", "xml", "markdown_table")


def instructions(documents: int) -> Iterator[Instruction]:
    """Base instructions about that many documents, by turns of entities and of labels."""
    for number in range(documents):
        name, city = NAMES[number % 5], CITIES[number % 4]
        text = f"{name} reached {city} on day {number}."
        if number % 2:
            schema, answer = Schema(("travel", "food")), ({"label": "travel"},)
            yield Instruction(Family.TC, "notes", f"d{number}", text, schema, answer, "CC0-1.0")
        else:
            facts = ({"label": "person", "text": name}, {"label": "city", "text": city})
            yield Instruction(Family.NER, "diary", f"d{number}", text, Schema(("person", "city")), facts, "CC-BY-4.0")


def examples(documents: int) -> Iterator[Example]:
    """One basic and four compound examples per document; every tenth document fails a filter, and some are dirty."""
    for number, asked in enumerate(instructions(documents)):
        wording = train_phrasings(asked.family)[number % 3]
        shaped = replace(asked, guideline="g1", parent=asked.id)
        ruled = replace(asked, rule=f"r{number % 2}", parent=asked.id)
        made = [
            example(asked, "plain" if FORMATS["plain"].can(asked) else "json", wording),
            example(replace(asked, parent=asked.id), VARIANTS[1 + number % 3], wording),
            example(shaped, VARIANTS[number % 4], wording, "A person has a name."),
            example(ruled, "yaml", wording, "", "Leave titles out."),
            example(replace(shaped, rule="r1"), "xml", wording, "A person has a name.", "Leave titles out."),
        ]
        yield from (annotated(item, number) for item in made)


def annotated(item: Example, number: int) -> Example:
    """An example with the annotations of three filters."""
    tokens = len(item.prompt + item.completion) // 4
    notes = (
        Annotation("length", "1", True, tokens),
        Annotation("grounded", "1", number % 10 != 3, None, "" if number % 10 != 3 else "invented"),
        Annotation("contamination", "1", number % 25 != 7, None, "" if number % 25 != 7 else "a test item"),
    )
    return replace(item, filters=notes)


def write_pool(folder: Path, rows: list[Example], size: int = 100) -> Path:
    """Shards of examples."""
    write_shards(folder, map(as_row, rows), size)
    return folder
