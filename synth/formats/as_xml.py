"""One element per fact, labels as attributes, so that any label can be written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from synth.formats.canonical import Answer, canonical, values
from synth.formats.format import ALL_BUT_GENERAL, Format, ParseError
from synth.records import FACT_KEYS, Fact, Family, Instruction

_ROOT = "answer"
_ELEMENTS: Mapping[Family, str] = {
    Family.NER: "entity",
    Family.RE: "relation",
    Family.EE: "event",
    Family.OPEN_IE: "triple",
    Family.MRC: "text",
    Family.TC: "label",
    Family.GENERAL: "text",
}
_TYPED = (Family.NER, Family.RE, Family.EE)
"""Families whose label is the attribute ``type``."""
_LEGAL = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})
_SHOWN: Mapping[Family, str] = {
    Family.NER: '<entity type="...">...</entity>, one per mention',
    Family.RE: '<relation type="..."><head>...</head><tail>...</tail></relation>, one per pair',
    Family.EE: '<event type="..."><trigger>...</trigger><argument role="...">...</argument></event>, one per event, '
    "with one argument element per argument",
    Family.OPEN_IE: "<triple><head>...</head><label>...</label><tail>...</tail></triple>, one per triple, "
    "where label is the relation",
    Family.MRC: "<text>...</text>, or nothing in it if the passage does not tell",
    Family.TC: "<label>...</label>, one per label that fits",
    Family.GENERAL: "<text>...</text>",
}


def _element(name: str, content: str, **attributes: str) -> str:
    given = "".join(f' {key}="{value.translate(_IN_ATTRIBUTE)}"' for key, value in attributes.items())
    return f"<{name}{given}>{content}</{name}>"


def _leaf(name: str, text: str, **attributes: str) -> str:
    return _element(name, text.translate(_IN_TEXT), **attributes)


def _write_fact(fact: Fact, family: Family) -> str:
    name, attributes = _ELEMENTS[family], {"type": fact["label"]} if family in _TYPED else {}
    if family == Family.EE:
        arguments = "".join(_leaf("argument", item["text"], role=item["role"]) for item in fact["arguments"])
        return _element(name, _leaf("trigger", fact["trigger"]) + arguments, **attributes)
    if family == Family.RE:
        return _element(name, _leaf("head", fact["head"]) + _leaf("tail", fact["tail"]), **attributes)
    if family == Family.OPEN_IE:
        return _element(name, "".join(_leaf(key, fact[key]) for key in ("head", "label", "tail")))
    return _leaf(name, fact[FACT_KEYS[family][-1]], **attributes)


def _write(asked: Instruction) -> str:
    return _element(_ROOT, "".join(_write_fact(fact, asked.family) for fact in canonical(asked)))


def _read(content: str, asked: Instruction) -> Answer:
    if "<!" in content:
        raise ParseError("the whole", "has a declaration, a comment or a marked section")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ParseError(f"line {error.position[0]}", f"is no XML ({error})") from error
    except ValueError as error:
        raise ParseError("the whole", f"is no XML ({error})") from error
    _check(root, _ROOT, (), "the whole")
    _no_text(root, "the whole")
    return tuple(_read_fact(element, asked.family, number) for number, element in enumerate(root, 1))


def _read_fact(element: ElementTree.Element, family: Family, number: int) -> Fact:
    place = f"element {number}"
    attributes = ("type",) if family in _TYPED else ()
    _check(element, _ELEMENTS[family], attributes, place)
    fact: dict[str, Any] = {"label": element.attrib["type"]} if attributes else {}
    if family in (Family.NER, Family.MRC, Family.TC, Family.GENERAL):
        return fact | {FACT_KEYS[family][-1]: _text(element, place)}
    _no_text(element, place)
    parts = list(element)
    names = {Family.RE: ("head", "tail"), Family.OPEN_IE: ("head", "label", "tail"), Family.EE: ("trigger",)}[family]
    if len(parts) < len(names) or (family != Family.EE and len(parts) > len(names)):
        raise ParseError(place, f"has {len(parts)} elements in it")
    for part, name in zip(parts, names, strict=False):
        _check(part, name, (), place)
        fact[name] = _text(part, place)
    if family == Family.EE:
        fact["arguments"] = [_argument(part, place) for part in parts[1:]]
    return fact


def _argument(element: ElementTree.Element, place: str) -> dict[str, str]:
    _check(element, "argument", ("role",), place)
    return {"role": element.attrib["role"], "text": _text(element, place)}


def _check(element: ElementTree.Element, name: str, attributes: tuple[str, ...], place: str) -> None:
    if element.tag != name or tuple(element.attrib) != attributes:
        raise ParseError(place, f"is no <{name}> with the attributes {', '.join(attributes) or 'none'}")


def _text(element: ElementTree.Element, place: str) -> str:
    if len(element):
        raise ParseError(place, "has elements in it where a text should be")
    return element.text or ""


def _no_text(element: ElementTree.Element, place: str) -> None:
    if any((text or "").strip() for text in (element.text, *(child.tail for child in element))):
        raise ParseError(place, "has text between its elements")


XML = Format(
    id="xml",
    families=(*ALL_BUT_GENERAL, Family.GENERAL),
    limits="values with a character that XML has not, such as most control characters",
    start="line",
    describe=lambda asked: (
        f"Answer in XML, on one line: an element <{_ROOT}> that holds {_SHOWN[asked.family]}."
        + ("" if asked.family in (Family.MRC, Family.GENERAL) else f" If there is none, write <{_ROOT}></{_ROOT}>.")
    ),
    write=_write,
    read=_read,
    carries=lambda asked: all(_LEGAL.fullmatch(value) for value in values(asked.answer)),
)
