"""Verdicts of people: a file that only grows, read back as the last word of each reviewer on each item.

Every line says who judged what and when, and an edit carries the original. An undo is a line of its own: it takes back
the reviewer's last standing word on the item, and the one before it stands again. Several reviewers may write at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from harness.errors import DataError, StoreError, UsageError
from synth.records import Example, example_of
from synth.review.edits import EXAMPLES, replace_example, replace_line
from synth.review.item import Item, Kind
from synth.work import read_lines

Word = Literal["accept", "reject", "edit", "undo"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]

FILE = "verdicts.jsonl"


class Verdict(BaseModel):
    """One line of the file.

    Attributes:
        item: Id of what was judged.
        kind: What it is.
        strategy: Its strategies.
        verdict: The word.
        reviewer: Who said it.
        time: When, ISO 8601 with the offset.
        reason: Why, for a rejection.
        original: For an edit: the text before it.
        edited: For an edit: the text after it.
        replacement: For an edit: id of the guideline, rule or example that was written instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: Annotated[str, StringConstraints(min_length=1)]
    kind: Kind
    strategy: str
    verdict: Word
    reviewer: Name
    time: datetime
    reason: str = ""
    original: str | None = None
    edited: str | None = None
    replacement: str | None = None


Words = Mapping[tuple[str, str], Verdict]
"""Item and reviewer to the reviewer's last standing verdict."""


@dataclass(frozen=True, slots=True)
class VerdictLog:
    """The verdicts on one working folder.

    Attributes:
        out: The working folder.
    """

    out: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.out / FILE

    def lines(self) -> Iterator[Verdict]:
        """All verdicts, in the order in which they were written.

        Raises:
            DataError: A line was edited by hand or torn; the message names it.
        """
        if not self.path.is_file():
            return
        for number, line in enumerate(self.path.read_text(encoding="utf-8").split("\n"), 1):
            if line.strip():
                yield _verdict(line, f"{self.path}, line {number}")

    def words(self) -> Words:
        """The last standing verdict of every reviewer on every item."""
        standing: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in self.lines():
            said = standing.setdefault((verdict.item, verdict.reviewer), [])
            if verdict.verdict != "undo":
                said.append(verdict)
            elif said:
                said.pop()
        return {key: said[-1] for key, said in standing.items() if said}

    def of(self, reviewer: str) -> Mapping[str, Verdict]:
        """Item to the last standing verdict of one reviewer."""
        return {item: verdict for (item, name), verdict in self.words().items() if name == reviewer}

    def record(self, item: Item, word: str, reviewer: str, *, reason: str = "", edited: str | None = None) -> Verdict:
        """Write a verdict; an edit also writes the new guideline, rule or example.

        Args:
            item: What is judged.
            word: ``accept``, ``reject``, ``edit`` or ``undo``.
            reviewer: Who judges.
            reason: Needed for a rejection.
            edited: The new text, for an edit.

        Raises:
            UsageError: The word, the reviewer or the reason is missing; the item cannot be edited; nothing to undo.
            DataError: The edited text is not what it should be.
            StoreError: The folder cannot be written.
        """
        self._check(item, word, reviewer, reason)
        facts: dict[str, str | None] = {}
        if word == "edit":
            if item.text is None or edited is None or edited.strip() == item.text.strip():
                raise UsageError("The edit", "changes nothing", "change the text, or accept it as it is")
            replacement = _replacement(self.out, item, edited, reviewer.strip())
            facts = {"original": item.text, "edited": edited, "replacement": replacement}
        verdict = Verdict.model_validate(
            {
                "item": item.id, "kind": item.kind, "strategy": item.strategy, "verdict": word, "reviewer": reviewer,
                "time": datetime.now(UTC), "reason": reason.strip(), **facts,
            }
        )  # fmt: skip
        _append(self.path, verdict.model_dump_json(exclude_none=True))
        return verdict

    def _check(self, item: Item, word: str, reviewer: str, reason: str) -> None:
        if word not in ("accept", "reject", "edit", "undo"):
            raise UsageError(f"Verdict {word!r}", "is unknown", "use accept, reject, edit or undo")
        if not reviewer.strip():
            raise UsageError("The reviewer", "has no name", "name the reviewer")
        if word == "reject" and not reason.strip():
            raise UsageError("The rejection", "has no reason", "say in a few words why")
        if word == "edit" and item.text is None:
            raise UsageError(f"The {item.kind}", "cannot be edited", "reject it and say what is wrong")
        if word == "undo" and item.id not in self.of(reviewer.strip()):
            raise UsageError("There", "is nothing to undo here", "go on")


def approved(out: Path) -> set[str]:
    """Ids that a person accepted and nobody rejected; of an edited guideline or rule, the id of what replaced it."""
    words = VerdictLog(out).words().values()
    yes = {verdict.item if verdict.verdict == "accept" else verdict.replacement or "" for verdict in words
           if verdict.verdict in ("accept", "edit")}  # fmt: skip
    return yes - _refused(words) - {""}


def rejected(out: Path) -> set[str]:
    """Ids that a person rejected, or that an edit replaced, or that an edit wrote which was taken back."""
    log = VerdictLog(out)
    words = log.words().values()
    edits = {verdict.replacement for verdict in log.lines() if verdict.replacement}
    standing = {verdict.replacement for verdict in words if verdict.replacement}
    replaced = {verdict.item for verdict in words if verdict.verdict == "edit"}
    return _refused(words) | replaced | (edits - standing)


def edited_examples(out: Path) -> dict[str, Example]:
    """Id of an example to the example with the answer that a person gave instead, as far as the edit stands."""
    rows = {row["id"]: row for row in read_lines(out / EXAMPLES)}
    words = VerdictLog(out).words().values() if rows else ()
    return {
        verdict.item: example_of(rows[verdict.replacement])
        for verdict in words
        if verdict.kind == "example" and verdict.replacement in rows
    }


def _replacement(out: Path, item: Item, edited: str, reviewer: str) -> str:
    """Write what an edit makes of an item; its id."""
    if item.example is not None:
        return replace_example(out, item.example, edited, reviewer)
    return replace_line(out, item.kind, item.id, edited, reviewer)


def _refused(words: Iterable[Verdict]) -> set[str]:
    return {verdict.item for verdict in words if verdict.verdict == "reject"}


def _verdict(line: str, thing: str) -> Verdict:
    try:
        return Verdict.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = f"is no verdict ({place + ': ' if place else ''}{first['msg']})"
        raise DataError(thing, what, "correct or remove the line; undo is a line of its own") from error


def _append(path: Path, line: str) -> None:
    """Add one line in one write, so that lines of two reviewers never mix; a torn last line is closed first."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, f"{chr(10) if torn else ''}{line}\n".encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreError(f"{path}", f"cannot be written ({error.strerror})", "free space and say it again") from error
