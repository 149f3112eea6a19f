"""A user's own JSON-lines file: one annotated text a line, checked line by line before anything is used.

The schema is documented in ``docs/synthesis/data.md``. The first pass checks every line and collects the labels of the
whole file, the second makes the documents: a file with one wrong line is refused whole, by line number and field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import DataError, HarnessError, MissingInputError, UsageError
from synth import recipe
from synth.draws import Draws
from synth.records import Document, Fact, Family, Schema, digest
from synth.sources.lines import (
    LINES,
    SIGNS,
    AnswerLine,
    Entity,
    EntityLine,
    EventLine,
    LabelLine,
    Line,
    QuestionLine,
    RelationLine,
)


@dataclass(slots=True)
class _Labels:
    """Labels of one family, in order of first use, with the roles of each."""

    roles: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            known = self.roles.setdefault(fact["label"], {})
            known.update(dict.fromkeys(argument["role"] for argument in fact.get("arguments", ())))

    def schema(self) -> Schema:
        return Schema(tuple(self.roles), {label: tuple(names) for label, names in self.roles.items() if names})


def read_file(source: recipe.Source, seed: int) -> Iterator[Document]:
    """Documents of a JSON-lines file.

    Args:
        source: Names the file, and the family where its lines do not tell.
        seed: Seed of the sample, where ``source.limit`` asks for one.

    Raises:
        MissingInputError: The file is not there.
        DataError: It is empty, or a line is wrong; the message names file, line and field.
    """
    path = source.file
    if path is None:
        raise UsageError("A source", "names no file", "name one")
    labels: dict[Family, _Labels] = {}
    total = 0
    for family, line, number in _lines(path, source.family):
        answer = _answer(family, line, _refuser(path, number))
        if family in (Family.NER, Family.RE, Family.EE, Family.TC):
            labels.setdefault(family, _Labels()).add(answer)
        total += 1
    if not total:
        raise DataError(f"File {path}", "has no line", "write one JSON object a line (docs/synthesis/data.md)")
    kept = None if source.limit is None else set(Draws(f"{seed}/{path.name}").sample(range(total), source.limit))
    schemas = {family: found.schema() for family, found in labels.items()}
    for place, (family, line, number) in enumerate(_lines(path, source.family)):
        if kept is None or place in kept:
            yield _document(path, source.split, family, line, (_answer(family, line, _refuser(path, number)), schemas))


Refuse = Callable[[str, str, str], HarnessError]


def _document(
    path: Path, split: str, family: Family, line: Line, found: tuple[list[Fact], Mapping[Family, Schema]]
) -> Document:
    answer, schemas = found
    question, schema = None, schemas.get(family, Schema())
    if isinstance(line, QuestionLine):
        question, schema = line.question, Schema(line.options)
    key = digest(line.key) if line.key else ""
    return Document(family, path.name, split, line.text, schema, tuple(answer), line.licence, question, key)


def _lines(path: Path, family: Family | None) -> Iterator[tuple[Family, Line, int]]:
    """Family, content and number of every line that is not blank."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield *_line(text, family, _refuser(path, number)), number
    except FileNotFoundError as error:
        raise MissingInputError(f"File {path}", "is not there", "name a JSON-lines file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"File {path}", f"is not UTF-8 text ({error.reason})", "save it as UTF-8") from error
    except OSError as error:
        raise MissingInputError(f"File {path}", f"cannot be read ({error.strerror})", "name a file") from error


def _line(text: str, family: Family | None, refuse: Refuse) -> tuple[Family, Line]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise refuse("", f"is no JSON ({error})", "write one JSON object a line") from error
    if not isinstance(content, dict):
        raise refuse("", "is no JSON object", "write one JSON object a line")
    chosen = _family(content, family, refuse)
    try:
        return chosen, LINES[chosen].model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        fields = ", ".join(LINES[chosen].model_fields)
        advice = f"a line of family {chosen} may have {fields}"
        wrong = f"is wrong ({first['msg'].removeprefix('Value error, ')})"
        reason = f"is missing: the line has {', '.join(content)}" if first["type"] == "missing" else wrong
        raise refuse(place, reason, advice) from error


def _family(content: Mapping[str, Any], family: Family | None, refuse: Refuse) -> Family:
    named = content.get("family")
    if named is not None:
        if named not in list(Family):
            raise refuse("family", f"is unknown ({named!r})", f"use one of {', '.join(Family)}")
        return Family(named)
    found = family or next((kind for sign, kind in SIGNS.items() if sign in content), None)
    if found is None:
        raise refuse("", f"has none of the fields {', '.join(SIGNS)}, so its family is unknown", "add one, or family")
    return found


def _answer(family: Family, line: Line, refuse: Refuse) -> list[Fact]:
    """The facts of a line, with every text looked up in the text of the line."""
    if isinstance(line, EntityLine):
        return _entities(line, refuse)
    if isinstance(line, RelationLine):
        for number, relation in enumerate(line.relations):
            _within(line, relation.head, f"relations.{number}.head", refuse)
            _within(line, relation.tail, f"relations.{number}.tail", refuse)
        return [relation.model_dump() for relation in line.relations]
    if isinstance(line, EventLine):
        for number, event in enumerate(line.events):
            _within(line, event.trigger, f"events.{number}.trigger", refuse)
            for place, argument in enumerate(event.arguments):
                _within(line, argument.text, f"events.{number}.arguments.{place}.text", refuse)
        return [
            {**event.model_dump(exclude={"arguments"}), "arguments": [item.model_dump() for item in event.arguments]}
            for event in line.events
        ]
    if isinstance(line, QuestionLine):
        return _answers(line, refuse)
    if isinstance(line, LabelLine):
        return [{"label": line.label}]
    return [{"text": line.answer}] if isinstance(line, AnswerLine) else []


def _answers(line: QuestionLine, refuse: Refuse) -> list[Fact]:
    """The best answer: an option, or words of the text."""
    if not line.answers:
        return []
    if line.options and line.answers[0] not in line.options:
        raise refuse("answers.0", "is none of the options", "add it to options")
    if not line.options:
        _within(line, line.answers[0], "answers.0", refuse)
    return [{"text": line.answers[0]}]


def _entities(line: EntityLine, refuse: Refuse) -> list[Fact]:
    """Entities in text order; places must lie in the text, agree with the words, and not cross."""
    places: list[tuple[int, int, int]] = []
    for number, entity in enumerate(line.entities):
        field_name = f"entities.{number}"
        if entity.start is None or entity.end is None:
            _within(line, entity.text or "", f"{field_name}.text", refuse)
            continue
        if not 0 <= entity.start < entity.end <= len(line.text):
            raise refuse(
                field_name, f"lies outside the text ({entity.start} to {entity.end} of {len(line.text)} characters)",
                "count characters from 0, the end is the one after the last",
            )  # fmt: skip
        words = line.text[entity.start : entity.end]
        if entity.text is not None and words != entity.text:
            raise refuse(field_name, f"says {entity.text!r} where the text has {words!r}", "correct start and end")
        places.append((entity.start, entity.end, number))
    _refuse_crossing(places, refuse)
    return _in_text_order(line)


def _refuse_crossing(places: Sequence[tuple[int, int, int]], refuse: Refuse) -> None:
    """One entity may lie inside another; two that share only a part contradict each other."""
    for start, end, number in places:
        for other_start, other_end, other in places:
            if start < other_start < end < other_end:
                raise refuse(
                    f"entities.{other}", f"overlaps entities.{number} ({other_start} to {other_end}, {start} to {end})",
                    "correct the offsets: one may lie inside the other, but not across it",
                )  # fmt: skip


def _in_text_order(line: EntityLine) -> list[Fact]:
    def place(entity: Entity) -> int:
        return entity.start if entity.start is not None else line.text.index(entity.text or "")

    return [
        {"label": entity.label, "text": entity.text or line.text[entity.start : entity.end]}
        for entity in sorted(line.entities, key=place)
    ]


def _within(line: Line, words: str, place: str, refuse: Refuse) -> None:
    if words not in line.text:
        raise refuse(place, f"is not in the text ({words!r})", "copy it from the text, character by character")


def _refuser(path: Path, number: int) -> Refuse:
    def refuse(place: str, reason: str, next_step: str) -> HarnessError:
        thing = f"{path}, line {number}" + (f", field {place}" if place else "")
        return DataError(thing, reason, next_step)

    return refuse
