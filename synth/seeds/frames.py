"""Frames: sentences that say one thing, with everything that can be asked about it.

A domain file holds word lists and frames. A frame has sentence patterns and, for its names, the relations that the
sentence states, the event that it reports, questions with the name that answers them, and yes/no questions with the
name that a wrong one swaps. From one passage of frames every family of documents follows: that is why a grammar of a
few hundred patterns yields exact annotations for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from harness.errors import DataError
from synth.draws import Draws
from synth.records import Schema
from synth.seeds.grammar import Filling, Slot, Variant, WordList, fill, unroll, word_lists

_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a frame.

    Attributes:
        variants: Its wordings.
        needs: Names that the wordings mention.
        about: The name that answers it, or that a wrong yes/no question swaps.
        names: All of these.
    """

    variants: tuple[Variant, ...]
    needs: frozenset[str]
    about: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Frame:
    """Sentences that say one thing.

    Attributes:
        texts: Unrolled sentence patterns, one tuple of variants per pattern.
        relations: Head name, label, tail name.
        event: Event type, or None.
        roles: Name and role of its arguments, several names may share a role.
        ask: Questions that a name answers.
        check: Yes/no questions that are true as they stand.
        says: Relation labels and event type: two frames with a common one may answer each other's questions.
    """

    texts: tuple[tuple[Variant, ...], ...]
    relations: tuple[tuple[str, str, str], ...]
    event: str | None
    roles: tuple[tuple[str, str], ...]
    ask: tuple[Question, ...]
    check: tuple[Question, ...]
    says: frozenset[str]


@dataclass(frozen=True, slots=True)
class Domain:
    """One subject area.

    Attributes:
        name: File name.
        topic: Topic label of its texts.
        lists: Word lists, shared ones too.
        entity: Entity label of a list, where it holds names.
        frames: Its frames.
        entities: Schema of entities.
        relations: Schema of relations.
        events: Schema of events, with roles.
    """

    name: str
    topic: str
    lists: Mapping[str, WordList]
    entity: Mapping[str, str]
    frames: tuple[Frame, ...]
    entities: Schema
    relations: Schema
    events: Schema


@dataclass(slots=True)
class Sentence:
    """A filled frame.

    Attributes:
        frame: The frame.
        text: The sentence or sentences.
        values: Name to text.
        rules: Name to list.
        mentions: List and text of every written name.
        mark: The words that name the event.
    """

    frame: Frame
    text: str
    values: dict[str, str]
    rules: dict[str, str]
    mentions: list[tuple[str, str]]
    mark: str


def read_yaml(*parts: str) -> Any:
    """Content of a YAML file of this package."""
    return yaml.load(files("synth").joinpath("seeds", *parts).read_text(encoding="utf-8"), Loader=_Loader)


@cache
def shared_lists() -> Mapping[str, WordList]:
    """Word lists that every domain and collection can draw from."""
    return word_lists(read_yaml("words.yaml")["words"])


@cache
def domains() -> tuple[Domain, ...]:
    """All domains, by name."""
    shared = read_yaml("words.yaml")
    folder = files("synth") / "seeds" / "domains"
    names = sorted(path.name for path in folder.iterdir() if path.name.endswith(".yaml"))
    return tuple(_domain(name.removesuffix(".yaml"), read_yaml("domains", name), shared) for name in names)


@cache
def topics() -> Schema:
    """Topics of all domains."""
    return Schema(tuple(dict.fromkeys(domain.topic for domain in domains())))


def passage(domain: Domain, count: int, draws: Draws) -> list[Sentence]:
    """Sentences of different frames of a domain; no name comes in two of them."""
    used: set[str] = set()
    chosen = draws.sample(domain.frames, count) if count > 1 else [draws.pick(domain.frames)]
    return [sentence(domain, frame, used, draws) for frame in chosen]


def sentence(domain: Domain, frame: Frame, used: set[str], draws: Draws) -> Sentence:
    """A frame, filled with names that ``used`` does not hold."""
    filling = Filling(used=used)
    fill(draws.pick(draws.pick(frame.texts)), filling, domain.lists, draws)
    return Sentence(frame, "".join(filling.parts), filling.values, filling.rules, filling.mentions, filling.mark)


def _domain(name: str, content: Mapping[str, Any], shared: Mapping[str, Any]) -> Domain:
    own = content.get("words", {})
    words = {**shared["words"], **own}
    lists = word_lists(own, shared_lists())
    entity = {rule: entry["label"] for rule, entry in words.items() if isinstance(entry, Mapping)}
    frames = tuple(_frame(_expanded(item, shared["macros"]), f"domain {name}", lists) for item in content["frames"])
    labels = dict.fromkeys([*read_yaml("labels.yaml")["entities"], *(entity[rule] for rule in _rules(frames, entity))])
    core = read_yaml("labels.yaml")
    relations = dict.fromkeys([*core["relations"], *(label for f in frames for _, label, _ in f.relations)])
    return Domain(
        name, content["topic"], lists, entity, frames,
        Schema(tuple(labels)), Schema(tuple(relations)), _event_schema(frames, core["events"]),
    )  # fmt: skip


def _rules(frames: Sequence[Frame], entity: Mapping[str, str]) -> list[str]:
    """Lists with an entity label that some frame draws from, in order of first use."""
    slots = (s for f in frames for text in f.texts for variant in text for s in variant if isinstance(s, Slot))
    return list(dict.fromkeys(slot.rule for slot in slots if slot.rule is not None and slot.rule in entity))


def _event_schema(frames: Sequence[Frame], core: Mapping[str, Sequence[str]]) -> Schema:
    """The core event types with all their roles, then the domain's own in order of first use."""
    roles = {label: list(names) for label, names in core.items()}
    for frame in frames:
        if frame.event is not None:
            known = roles.setdefault(frame.event, [])
            known += [role for _, role in frame.roles if role not in known]
    return Schema(tuple(roles), {label: tuple(dict.fromkeys(names)) for label, names in roles.items()})


def _frame(item: Mapping[str, Any], place: str, lists: Mapping[str, WordList]) -> Frame:
    texts = tuple(unroll(text, place, sentence=True) for text in _several(item["text"]))
    names = {s.name for text in texts for variant in text for s in variant if isinstance(s, Slot)}
    unknown = {s.rule for t in texts for v in t for s in v if isinstance(s, Slot) and s.rule} - set(lists)
    if unknown:
        raise DataError(f"A frame of {place}", f"draws from unknown lists {sorted(unknown)}", "add them to words")
    event = dict(item.get("event", {}))
    kind = event.pop("type", None)
    relations = tuple((head, label, tail) for head, label, tail in item.get("relations", ()))
    frame = Frame(
        texts, relations, kind,
        tuple((name, role) for role, value in event.items() for name in _several(value)),
        tuple(_question(entry, names, place) for entry in item.get("ask", ())),
        tuple(_question(entry, names, place) for entry in item.get("check", ())),
        frozenset([label for _, label, _ in relations] + ([kind] if kind else [])),
    )  # fmt: skip
    referred = {name for name, _ in frame.roles} | {name for h, _, t in relations for name in (h, t)}
    referred |= {question.about for question in (*frame.ask, *frame.check)}
    if referred - names:
        raise DataError(f"A frame of {place}", f"refers to unknown names {sorted(referred - names)}", "correct them")
    for variant in (variant for text in texts for variant in text):
        held = {s.name for s in variant if isinstance(s, Slot)}
        if not any(question.names <= held for question in frame.ask):
            raise DataError(f"A frame of {place}", f"has no question that {variant} answers", "add one")
    return frame


def _expanded(item: Mapping[str, Any], macros: Mapping[str, str]) -> dict[str, Any]:
    """The frame with ``<name>`` in its sentences replaced by the macro of that name."""
    texts = _several(item["text"])
    for name, pattern in macros.items():
        texts = [text.replace(f"<{name}>", pattern) for text in texts]
    return {**item, "text": texts}


def _question(entry: Sequence[Any], names: set[str], place: str) -> Question:
    *wordings, about = entry
    variants = tuple(variant for text in wordings for variant in unroll(text, place, known=names))
    needs = frozenset(s.name for v in variants for s in v if isinstance(s, Slot))
    return Question(variants, needs, about, needs | {about})


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
