"""Texts with a label (sentiment, intent and others) and tasks with an answer (the general share).

A file of ``texts/`` holds word lists and, per label, patterns. ``general.yaml`` holds tables whose rows become
questions, and the wordings of tasks that are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from synth.draws import Draws
from synth.records import Document, Family, Schema
from synth.seeds.families import LICENCE
from synth.seeds.frames import read_yaml, shared_lists
from synth.seeds.general import GENERAL, task
from synth.seeds.grammar import Filling, Variant, WordList, fill, unroll, word_lists


@dataclass(frozen=True, slots=True)
class Collection:
    """Texts with one label each.

    Attributes:
        name: File name.
        schema: Its labels.
        lists: Word lists.
        patterns: Unrolled patterns per label.
    """

    name: str
    schema: Schema
    lists: Mapping[str, WordList]
    patterns: Mapping[str, tuple[tuple[Variant, ...], ...]]


@cache
def collections() -> Mapping[str, Collection]:
    """All collections, by name."""
    found = sorted(path.name for path in (files("synth") / "seeds" / "texts").iterdir() if path.name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): _collection(name.removesuffix(".yaml")) for name in found}


def names() -> tuple[str, ...]:
    """Names of the collections and of the general share."""
    return (*collections(), GENERAL)


def family(name: str) -> Family:
    """Family of a collection."""
    return Family.GENERAL if name == GENERAL else Family.TC


def document(name: str, draws: Draws) -> Document:
    """A text of one collection."""
    return general(draws) if name == GENERAL else _labelled(collections()[name], draws)


def classified(draws: Draws) -> Document:
    """A text of any collection."""
    return _labelled(draws.pick(tuple(collections().values())), draws)


def general(draws: Draws) -> Document:
    """A task with its answer."""
    instruction, answer = task(draws)
    return Document(Family.GENERAL, f"seeds/{GENERAL}", "train", instruction, Schema(), ({"text": answer},), LICENCE)


def _labelled(collection: Collection, draws: Draws) -> Document:
    label = draws.pick(collection.schema.labels)
    filling = Filling()
    fill(draws.pick(draws.pick(collection.patterns[label])), filling, collection.lists, draws)
    text = "".join(filling.parts)
    source = f"seeds/{collection.name}"
    return Document(Family.TC, source, "train", text, collection.schema, ({"label": label},), LICENCE)


def _collection(name: str) -> Collection:
    content = read_yaml("texts", f"{name}.yaml")
    lists = word_lists(content.get("words", {}), shared_lists())
    patterns = {
        str(label): tuple(unroll(text, f"texts {name}", sentence=True) for text in texts)
        for label, texts in content["labels"].items()
    }
    return Collection(name, Schema(tuple(patterns)), lists, patterns)
