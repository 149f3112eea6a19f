"""Which data sets can be read, and which of their splits."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

from harness.errors import UsageError
from synth.records import Family

_SCORED = re.compile(r"test|val|dev", re.IGNORECASE)


class Entry(BaseModel):
    """One data set; the fields are explained at the top of ``registry.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    licence: str
    readers: dict[Family, str]
    labels: dict[str, str] = {}
    names: tuple[str, ...] | dict[str, tuple[str, ...]] = ()
    columns: dict[str, str] = {}
    configs: tuple[str, ...] | None = None
    train: str = "train"
    unscored: tuple[str, ...] = ()
    revision: str | None = None
    published: dict[str, int] = {}

    def column(self, role: str) -> str:
        """The column that holds what a reader asks for."""
        return self.columns.get(role, role)

    def word(self, label: str) -> str:
        """The word for a label of the data: lower case, spaces for joining signs, unless the registry has its own."""
        return self.labels.get(label) or re.sub(r"[_-]+", " ", label).lower()

    def classes(self, config: str | None) -> tuple[str, ...]:
        """Class names by number."""
        return self.names.get(config or "", ()) if isinstance(self.names, dict) else self.names


@cache
def registry() -> Mapping[str, Entry]:
    """Entries by hub id."""
    content = yaml.safe_load((files("synth") / "sources" / "registry.yaml").read_text(encoding="utf-8"))
    return {name: Entry.model_validate(entry) for name, entry in content.items()}


def entry_of(dataset: str) -> tuple[str, Entry]:
    """Hub id and entry of a data set; a bare legacy id such as ``imdb`` stands for the only id that ends in it.

    Raises:
        UsageError: There is none, or several end in it.
    """
    known = registry()
    found = [name for name in known if name == dataset] or [n for n in known if n.rpartition("/")[2] == dataset]
    if len(found) == 1:
        return found[0], known[found[0]]
    if found:
        raise UsageError(f"Data set {dataset}", f"may be {' or '.join(found)}", "write the whole id")
    close = difflib.get_close_matches(dataset, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "write its rows to a JSON-lines file (docs/synthesis/data.md)"
    raise UsageError(f"Data set {dataset}", "has no reader", hint)


def split_of(dataset: str, entry: Entry, split: str) -> str:
    """The split to read, under the name that the data set has for it.

    Raises:
        UsageError: It is one that a card may score.
    """
    if split == "train":
        return entry.train
    if _SCORED.search(split) and split not in entry.unscored:
        raise UsageError(
            f"Split {split} of {dataset}", "is a test or validation split: a model must not learn what it is scored on",
            "use the train split" + (f" or one of {', '.join(entry.unscored)}" if entry.unscored else ""),
        )  # fmt: skip
    return split


def config_of(dataset: str, entry: Entry, config: str | None) -> str | None:
    """The configuration to read; the only one where the registry names one.

    Raises:
        UsageError: The registry does not allow it, or has no class names for it.
    """
    allowed = entry.configs or (tuple(entry.names) if isinstance(entry.names, dict) else None)
    if allowed is None or config in allowed:
        return config
    if config is None and len(allowed) == 1:
        return allowed[0]
    raise UsageError(
        f"Configuration {config} of {dataset}",
        "has no reader" if config else "is needed",
        f"use one of {', '.join(allowed)}",
    )


def reader_of(dataset: str, entry: Entry, family: Family | None) -> tuple[Family, str]:
    """Family and reader; the first of the entry where no family is asked for.

    Raises:
        UsageError: The data set is not annotated for the family.
    """
    chosen = family or next(iter(entry.readers))
    if chosen not in entry.readers:
        known = ", ".join(entry.readers)
        raise UsageError(f"Data set {dataset}", f"is not annotated for {chosen}", f"use one of {known}")
    return chosen, entry.readers[chosen]
