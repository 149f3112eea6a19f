"""Texts of test items: every part of a row that a model is shown or must answer, of our cards and of stock tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.catalog import Catalog, load_catalog
from harness.errors import DataError, HarnessError, MissingInputError
from harness.nouns import Task

BOILERPLATE_ROWS = 100
"""A text that more rows of one task than this have in common is wording, not a test item."""

_LOOKED_FOR = 20  # characters of a field from which on it shows that a prompt only frames the row's own fields


@dataclass(frozen=True, slots=True)
class ItemText:
    """One text of one test item.

    Attributes:
        suite: The first chosen suite that has the task.
        task: Task name; of a stock group, the leaf.
        doc_id: Row number in the scored split.
        split: The scored split.
        kind: Field of the row, such as ``context`` or ``answers.text``; ``choices``, ``target`` or ``prompt`` for what
            the card makes of the row.
        text: The text.
    """

    suite: str
    task: str
    doc_id: int
    split: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Uncovered:
    """A task whose test items are not in an index, and why."""

    suite: str
    task: str
    reason: str


def tasks_of(suites: Sequence[str], catalog: Catalog) -> list[tuple[str, Task]]:
    """(suite, task) of every distinct task of the suites, in their order.

    Raises:
        UsageError: A suite is not known; the message names the nearest.
    """
    found: dict[str, tuple[str, Task]] = {}
    for name in suites:
        for task in catalog.suite(name).tasks:
            found.setdefault(task.name, (name, task))
    return list(found.values())


def item_texts(
    suites: Sequence[str],
    mirror: Path | None,
    include: Sequence[Path] = (),
    uncovered: list[Uncovered] | None = None,
    ids: dict[str, list[str]] | None = None,
) -> Iterator[ItemText]:
    """Every text of every scored row of the suites, task by task.

    Args:
        suites: Names of suites.
        mirror: Local mirror of datasets, if any.
        include: Folders of the user's own cards.
        uncovered: Tasks that cannot be built here (data not on this machine) are appended; None raises instead.
        ids: The ids that the items' records have in every run are entered by task, in the order of the rows.

    Raises:
        UsageError, CardError, DataError: A suite is unknown or broken.
        MissingInputError, UnavailableError: Data of a task is not there and ``uncovered`` is None, or no task is.
    """
    from harness.engines.tasks import TaskOptions, build_tasks

    catalog = load_catalog(include)
    chosen = tasks_of(suites, catalog)
    left_out = 0
    for suite, task in chosen:
        try:
            built = build_tasks([task], catalog.folders, mirror, TaskOptions())
        except HarnessError as error:
            if uncovered is None:
                raise
            uncovered.append(Uncovered(suite, task.name, str(error)))
            left_out += 1
            continue
        for leaf in built:
            yield from _texts(suite, leaf, {} if ids is None else ids)
    if left_out == len(chosen):
        raise MissingInputError(
            f"Suites {', '.join(suites)}", "have no task whose data is on this machine", "pass --mirror DIR"
        )


def _texts(suite: str, built: Any, ids: dict[str, list[str]]) -> Iterator[ItemText]:
    """Texts of one built task, without those that too many of its rows share."""
    from harness.engines.items import item_id

    task = built.task
    rows, known = [], ids.setdefault(task.name, [])
    for doc_id, row in enumerate(built.docs):
        try:
            rows.append(parts(built.lm_task, row))
            known.append(item_id(built.lm_task, row))
        except Exception as error:  # a card may run any code on a row; the user must learn which row it was
            raise DataError(
                f"Task {task.name}, row {doc_id}", f"makes no prompt ({type(error).__name__}: {error})",
                "check doc_to_text, doc_to_choice and doc_to_target of its card",
            ) from error  # fmt: skip
    shared = Counter(text for row in rows for _, text in row)
    for doc_id, row in enumerate(rows):
        for kind, text in row:
            if shared[text] <= BOILERPLATE_ROWS:
                yield ItemText(suite, task.name, doc_id, task.split, kind, text)


def parts(lm_task: Any, row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(kind, text) of one row: its fields, the card's choices and target, and the prompt where no field is in it.

    Args:
        lm_task: lm-eval's task object.
        row: A row of the scored split.
    """
    found: dict[str, str] = {}
    for kind, text in strings_of(row, ""):
        found.setdefault(text, kind)
    fields = list(found)
    made = {"target": lm_task.doc_to_target(row)}
    if lm_task.config.doc_to_choice is not None:
        made["choices"] = lm_task.doc_to_choice(row)
    for kind, text in strings_of(made, ""):
        found.setdefault(text, kind)
    prompt = lm_task.doc_to_text(row)
    if isinstance(prompt, str) and not any(len(text) >= _LOOKED_FOR and text in prompt for text in fields):
        found.setdefault(prompt.strip(), "prompt")
    return [(kind, text) for text, kind in found.items() if text]


def strings_of(value: Any, kind: str) -> Iterator[tuple[str, str]]:
    """Every string in a row with the path to it; the strings of a list are one text."""
    if isinstance(value, str):
        yield kind, value.strip()
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from strings_of(inner, f"{kind}.{name}" if kind else str(name))
    elif isinstance(value, list | tuple):
        strings = [part.strip() for part in value if isinstance(part, str)]
        if strings:
            yield kind, _joined(strings)
        for part in value:
            if not isinstance(part, str):
                yield from strings_of(part, kind)


def _joined(strings: Sequence[str]) -> str:
    """Tokens as one line; sentences or choices as a line each, repeated ones once."""
    if all(len(part.split()) <= 1 for part in strings):
        return " ".join(strings)
    return "\n".join(dict.fromkeys(strings))
