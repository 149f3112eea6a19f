"""The library on disk: guidance for common labels and templates of executable rules, written for this project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from synth.records import Family, digest

_FILES: Mapping[Family, tuple[str, ...]] = {
    Family.NER: ("entities", "domains"),
    Family.RE: ("relations",),
    Family.EE: ("events",),
    Family.TC: ("classes",),
    Family.MRC: ("reading",),
    Family.OPEN_IE: ("reading",),
    Family.GENERAL: ("reading",),
}
_RULES: Mapping[str, tuple[Family, ...]] = {
    "entities": (Family.NER,),
    "relations": (Family.RE, Family.OPEN_IE),
    "events": (Family.EE,),
    "classes": (Family.TC,),
    "reading": (Family.MRC,),
}
_MARKED = re.compile(r"\[(.+?)\]|<(.+?)>")
_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Entry(BaseModel):
    """What the library says of one label.

    Attributes:
        names: Other names under which data sets know the label.
        meaning: What it means.
        typical: Typical values.
        right: Positive examples: spans in square brackets (tails in angle brackets), the reason after `` -- ``.
        wrong: Negative examples in the same form.
        edges: Edge cases.
        separates: For classes: what separates the label from its neighbours.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = ()
    meaning: str
    typical: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    edges: tuple[str, ...] = ()
    separates: str = ""


class Template(BaseModel):
    """An executable rule before it is bound to a label set; see the head of the files in ``rules``.

    Attributes:
        name: Name; a rule is held out under it.
        kind: Kind of rule.
        families: Families that it is for; by default those of its file.
        sentence: What a model reads.
        operation: Operation of the interpreter.
        parameters: Its parameters, with ``$`` references.
        concepts: Entries of the library that the label set must hold.
        roles: Entries of the role library that the label set must hold.
        names: New label name by entry, or broader term by entry.
        role_names: New role name by entry.
        codes: Form of codes for all labels: a pattern with ``{}`` for the number, or ``letters``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["boundary", "nesting", "granularity", "exclusion", "ordering", "naming"]
    families: tuple[Family, ...] = ()
    sentence: str
    operation: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    concepts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    names: dict[str, str] = Field(default_factory=dict)
    role_names: dict[str, str] = Field(default_factory=dict)
    codes: str = ""


def lookup(family: Family, label: str) -> tuple[str, Entry] | None:
    """The entry for a label, with its own name: by name or synonym, whatever the case, joints or plural."""
    index = _index(family)
    key = normal(label)
    name = index.get(key) or index.get(key.removesuffix("s"))
    return None if name is None else (name, entries(family)[name])


def lookup_role(role: str) -> tuple[str, str] | None:
    """The entry for an argument role, with what it says."""
    key = normal(role)
    name = _role_index().get(key) or _role_index().get(key.removesuffix("s"))
    return None if name is None else (name, _roles()[name].meaning)


@cache
def entries(family: Family) -> Mapping[str, Entry]:
    """Every entry of a family by its name."""
    found: dict[str, Entry] = {}
    for name in _FILES[family]:
        found |= {key: Entry.model_validate(value) for key, value in _yaml(f"guidelines/{name}.yaml").items()}
    return found


@cache
def templates() -> tuple[Template, ...]:
    """Every rule template, in the order of the files."""
    found = []
    for name, families in _RULES.items():
        for row in _yaml(f"rules/{name}.yaml"):
            template = Template.model_validate(row)
            found.append(template if template.families else template.model_copy(update={"families": families}))
    return tuple(found)


def fingerprint() -> str:
    """SHA-256 over the whole library, which changes with every entry and template."""
    folder = files("synth.rulebook")
    names = sorted(
        f"{part}/{file.name}" for part in ("guidelines", "rules") for file in folder.joinpath(part).iterdir()
    )
    return digest([[name, folder.joinpath(name).read_text(encoding="utf-8")] for name in names])


def normal(name: str) -> str:
    """A name for comparison: small letters and digits only; where there are none (an emoji), the name itself."""
    return "".join(character for character in name.casefold() if character.isalnum()) or name


def example(marked: str) -> dict[str, str]:
    """Text, span and reason of a marked example; for a relation the span is ``head -> tail``."""
    text, _, why = marked.partition(" -- ")
    spans = [square or angle for square, angle in _MARKED.findall(text)]
    plain = _MARKED.sub(lambda found: found[1] or found[2], text)
    if "<" in text:
        heads, tails = re.findall(r"\[(.+?)\]", text), re.findall(r"<(.+?)>", text)
        spans = [f"{heads[0]} -> {tails[0]}"]
    return {"text": plain, "span": spans[0] if spans else "", "why": why}


@cache
def _index(family: Family) -> Mapping[str, str]:
    own = {normal(name): name for name in entries(family)}
    other = {normal(other): name for name, entry in reversed(list(entries(family).items())) for other in entry.names}
    return other | own


@cache
def _roles() -> Mapping[str, Entry]:
    return {name: Entry.model_validate(value) for name, value in _yaml("guidelines/roles.yaml").items()}


@cache
def _role_index() -> Mapping[str, str]:
    own = {normal(name): name for name in _roles()}
    return {normal(other): name for name, entry in reversed(list(_roles().items())) for other in entry.names} | own


def _yaml(name: str) -> Any:
    return yaml.load(files("synth.rulebook").joinpath(name).read_text(encoding="utf-8"), Loader=_Loader)
