"""Cards and suite files to Tasks and Suites, without importing lm-eval.

The one file that knows where ``tasks/`` lies. A card is plain lm-eval task YAML with a flat ``metadata`` block of
ours; a suite file names cards, stock lm-eval tasks (with what the harness must know about them) and other suites.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from harness.errors import CardError, MissingInputError, UsageError
from harness.nouns import Limits, Suite, Task
from harness.plugins import suite_folders

CARD_FIELDS = ("version", "family", "metric", "licence", "matching", "unit", "chance", "source")
"""What the ``metadata`` block of every card of ours states; ``language``, ``revision`` and ``filter`` are optional."""

SUITE_FIELDS = ("suite", "title", "version", "tasks", "pooled", "limits", "policy", "note")
STOCK_FIELDS = (
    "task", "family", "metric", "filter", "chance", "chances", "num_fewshot", "dataset", "licence", "source",
    "matching", "note",
)  # fmt: skip


class _Loader(yaml.CSafeLoader if getattr(yaml, "__with_libyaml__", False) else yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML in which ``!function a.b`` stays the string ``!function a.b``."""


_Loader.add_constructor("!function", lambda loader, node: f"!function {loader.construct_scalar(node)}")


@dataclass(frozen=True)
class Card:
    """One YAML file with a task: its resolved content and where it stands."""

    name: str
    path: Path
    content: Mapping[str, Any]


@dataclass(frozen=True)
class Catalog:
    """Every card and suite file found, by name, and the folders that they were found in."""

    folders: tuple[Path, ...]
    cards: Mapping[str, Card] = field(default_factory=dict)
    suites: Mapping[str, Card] = field(default_factory=dict)

    def suite(self, name: str) -> Suite:
        """The suite of that name, with its tasks resolved.

        Raises:
            UsageError: No such suite; the message names the nearest ones.
            CardError: The file breaks the contract of suite files.
        """
        if name not in self.suites:
            raise UsageError(f"Suite {name!r}", "is not known", _nearest(name, self.suites, "harness ls suites"))
        file = self.suites[name]
        _known(file, file.content, SUITE_FIELDS)
        tasks = tuple(self._members(file, trail=()))
        repeated = sorted({task.name for task in tasks if sum(task.name == other.name for other in tasks) > 1})
        if repeated:
            raise CardError(f"{file.path}", f"names {repeated[0]} twice", "remove one of the entries")
        return Suite(
            name=name,
            title=str(_required(file, "title")),
            version=str(_required(file, "version")),
            digest=digest_of([file.content, [task.digest for task in tasks]]),
            tasks=tasks,
            pooled=frozenset(file.content.get("pooled") or ()),
            limits=_limits(file),
            policy=str(file.content.get("policy", "general")),
        )

    def task(self, name: str) -> Task:
        """The task of that name: a card of ours, or a stock lm-eval name that the engine will resolve.

        A stock task that a suite describes keeps the suite's metric, filter and chance, so that naming it alone gives
        the number that the suite would give; its shots are the stock card's.
        """
        if name in self.cards:
            return task_of(self.cards[name])
        for _, file in sorted(self.suites.items()):
            for entry in file.content.get("tasks") or ():
                if isinstance(entry, Mapping) and entry.get("task") == name:
                    return replace(_stock_task(file, entry), num_fewshot=None)
        return Task(name=name, family=name, metric="", source="stock lm-eval task")

    def _members(self, file: Card, trail: tuple[str, ...]) -> Iterable[Task]:
        for entry in _required(file, "tasks"):
            if isinstance(entry, str):
                yield self._card_task(file, entry)
            elif isinstance(entry, Mapping) and set(entry) == {"suite"}:
                yield from self._other_suite(file, entry["suite"], (*trail, file.name))
            elif isinstance(entry, Mapping) and "task" in entry:
                _known(file, entry, STOCK_FIELDS)
                yield _stock_task(file, entry)
            else:
                raise _broken(file, "tasks", f"has the entry {entry!r}", "write a card name, {suite: …} or {task: …}")

    def _card_task(self, file: Card, name: str) -> Task:
        if name not in self.cards:
            raise _broken(
                file, name, f"names the unknown task {name!r}", _nearest(name, self.cards, "harness ls tasks")
            )
        return task_of(self.cards[name])

    def _other_suite(self, file: Card, name: str, trail: tuple[str, ...]) -> Iterable[Task]:
        if name in trail:
            raise _broken(file, "suite", f"includes itself through {' > '.join((*trail, name))}", "break the circle")
        if name not in self.suites:
            raise _broken(file, "suite", f"names the unknown suite {name!r}", "correct the name")
        yield from self._members(self.suites[name], trail)


def tasks_folder() -> Path:
    """Where our cards lie: inside the installed package, or beside it in a checkout.

    Raises:
        MissingInputError: Neither place has them; the installation is broken.
    """
    package = Path(str(files("harness")))
    for folder in (package / "_tasks", package.parent / "tasks"):
        if folder.is_dir():
            return folder
    raise MissingInputError("The task cards", "are missing from the installation", "install hum-harness again")


def load_catalog(include: Sequence[Path] = ()) -> Catalog:
    """Read every card and suite file: ours, those of installed plug-ins, and those in ``include``.

    Args:
        include: Folders of the user's own cards and suites (``--include_path``); they may add names, never replace.

    Raises:
        MissingInputError: A folder does not exist.
        CardError: A file is not readable YAML, or two files define one name.
    """
    folders = (tasks_folder(), *suite_folders(), *include)
    cards: dict[str, Card] = {}
    suites: dict[str, Card] = {}
    for folder in folders:
        if not folder.is_dir():
            raise MissingInputError(f"Card folder {folder}", "does not exist", "correct --include_path")
        for path in sorted(folder.rglob("*.yaml")):
            card = read_card(path)
            if card is None:
                continue
            shelf = suites if "suite" in card.content else cards
            if card.name in shelf:
                raise CardError(f"{path}", f"defines {card.name!r}, which {shelf[card.name].path} has", "rename one")
            shelf[card.name] = card
    return Catalog(folders=folders, cards=cards, suites=suites)


def read_card(path: Path) -> Card | None:
    """A card or suite file with its includes merged; None for a file that is only there to be included."""
    content = _merged(path, seen=())
    name = content.get("suite", content.get("task"))
    return Card(str(name), path, content) if isinstance(name, str) else None


def task_of(card: Card) -> Task:
    """The Task that a card of ours describes.

    Raises:
        CardError: A field is missing or of the wrong kind; the message names file, line and field.
    """
    content = card.content
    metadata = content.get("metadata")
    if not isinstance(metadata, Mapping):
        raise _broken(card, "metadata", "is missing", f"state {', '.join(CARD_FIELDS)}")
    for name in CARD_FIELDS:
        if name not in metadata:
            raise _broken(card, "metadata", f"lacks the field {name!r}", "see docs/cards.md")
    chance = metadata["chance"]
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
        raise _broken(card, "chance", f"is {chance!r}", "give the score of a guesser as a number from 0 to 1")
    options = content.get("dataset_kwargs") or {}
    split = content.get("test_split") or content.get("validation_split") or ""
    return Task(
        name=card.name,
        family=str(metadata["family"]),
        metric=str(metadata["metric"]),
        filter=str(metadata.get("filter", "none")),
        chance=float(chance),
        num_fewshot=content.get("num_fewshot"),
        version=str(metadata["version"]),
        digest=digest_of(content),
        dataset=content.get("dataset_path") or f"embedded:{options.get('items', '')}",
        config=content.get("dataset_name"),
        revision=options.get("revision") or metadata.get("revision"),
        split=str(split),
        licence=str(metadata["licence"]),
        matching=" ".join(str(metadata["matching"]).split()),
        unit=str(metadata["unit"]),
        source=str(metadata["source"]),
        card=str(card.path),
        probe=dict(metadata.get("probe") or {}),
    )


def digest_of(content: Any) -> str:
    """SHA-256 of a JSON-able value, independent of key order."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _merged(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise CardError(f"{path}", "includes itself", "break the circle of include lines")
    content = _read_yaml(path)
    included = content.pop("include", [])
    merged: dict[str, Any] = {}
    for name in included if isinstance(included, list) else [included]:
        other = (path.parent / name).resolve()
        if not other.is_file():
            raise CardError(
                f"{path}, line {_line(path, 'include')}", f"includes {name}, which is not there", "correct it"
            )
        merged.update(_merged(other, (*seen, path)))
    return {**merged, **content}


def _read_yaml(path: Path) -> dict[str, Any]:
    return dict(_parsed(path, path.stat().st_mtime_ns if path.is_file() else 0))


@lru_cache(maxsize=1024)
def _parsed(path: Path, _modified: int) -> dict[str, Any]:
    """A YAML mapping; a file that many cards include is parsed once."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise CardError(
            f"{path}{line}", f"is not valid YAML ({getattr(error, 'problem', error)})", "correct it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}", f"cannot be read ({error})", "make it a readable UTF-8 file") from error
    if not isinstance(content, dict):
        raise CardError(f"{path}", "does not hold a mapping", "write key: value pairs")
    return content


def _stock_task(file: Card, entry: Mapping[str, Any]) -> Task:
    for name in ("task", "family", "metric"):
        if not isinstance(entry.get(name), str):
            raise _broken(file, str(entry.get("task")), f"has an entry without {name!r}", "see docs/cards.md")
    chance = entry.get("chance", entry.get("chances"))
    numbers = list(chance.values()) if isinstance(chance, Mapping) else [chance]
    if not numbers or not all(isinstance(value, int | float) and 0 <= value <= 1 for value in numbers):
        raise _broken(file, entry["task"], "has no chance in [0, 1]", "add chance: or chances:")
    return Task(
        name=entry["task"],
        family=entry["family"],
        metric=entry["metric"],
        filter=str(entry.get("filter", "none")),
        chance=sum(numbers) / len(numbers),
        num_fewshot=entry.get("num_fewshot"),
        digest=digest_of(entry),
        dataset=str(entry.get("dataset", "")),
        licence=str(entry.get("licence", "")),
        matching=str(entry.get("matching", "stock lm-eval metric")),
        source=str(entry.get("source", "stock lm-eval task")),
        chances=dict(entry.get("chances") or {}),
    )


def _limits(file: Card) -> Limits:
    given = file.content.get("limits") or {}
    _known(file, given, [item.name for item in fields(Limits)])
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise _broken(file, name, f"is {value!r}", "give a share from 0 to 1")
    return Limits(**{name: float(value) for name, value in given.items()})


def _required(card: Card, name: str) -> Any:
    if name not in card.content:
        raise _broken(card, name, "is missing", "see docs/cards.md")
    return card.content[name]


def _known(card: Card, content: Mapping[str, Any], allowed: Iterable[str]) -> None:
    for name in content:
        if name not in allowed:
            raise _broken(
                card,
                str(name),
                f"is not a known field ({name!r})",
                _nearest(str(name), allowed, "docs/cards.md"),
            )


def _broken(card: Card, name: str, reason: str, next_step: str) -> CardError:
    return CardError(f"{card.path}, line {_line(card.path, name)}, field {name}", reason, next_step)


def _line(path: Path, word: str) -> int:
    """Line of the first occurrence of a word in a file; 1 where it does not occur."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if word in line:
            return number
    return 1


def _nearest(name: str, known: Iterable[str], listing: str) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {', '.join(close)}?" if close else f"see {listing}"
