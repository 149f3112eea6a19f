"""HTML pages in tests: what a page holds, and whether it keeps what it promises; runs that have scores."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from records import Values, make_run, rows, suite_entry, task_entry

from harness.metrics.folds import FOLDS
from harness.nouns import Record, Run
from harness.scores import interval

VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
LOADING = {"script", "img", "link", "iframe", "object", "embed", "video", "audio", "source", "image", "base", "form"}


@dataclass
class Element:
    """One element of a page, with the text below it."""

    tag: str
    attributes: dict[str, str]
    parents: tuple[str, ...]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text below the element."""
        return "".join(self.parts)


@dataclass
class Page(HTMLParser):
    """A parsed page; badly nested tags are an error."""

    source: str
    elements: list[Element] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Parse the source."""
        super().__init__()
        self.feed(self.source)
        self.close()
        assert [element.tag for element in self._open] == []

    def __hash__(self) -> int:
        """Of the object: the parser's own base wants one."""
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        element = Element(tag, {name: value or "" for name, value in attrs}, tuple(one.tag for one in self._open))
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that ends where it begins, as SVG has them."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>, {self.getpos()}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Text belongs to every element around it."""
        for element in self._open:
            element.parts.append(data)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of a tag with these attributes; ``class_`` is one of the classes."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.elements
            if element.tag == tag
            and all(value in element.attributes.get(name, "").split() for name, value in wanted.items())
        ]

    def words(self, tag: str, **attributes: str) -> list[str]:
        """Texts of elements, on one line each."""
        return [" ".join(element.text.split()) for element in self.all(tag, **attributes)]


def check_page(source: str) -> Page:
    """What every page must be: well nested, linked within itself, self-contained, and labelled."""
    page = Page(source)
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    links = [element.attributes["href"] for element in page.elements if "href" in element.attributes]
    assert [link for link in links if not (link.startswith("#") and link[1:] in ids)] == []
    assert [element.tag for element in page.elements if element.tag in LOADING] == []
    assert [e for e in page.elements if any(name.startswith("on") or name == "style" for name in e.attributes)] == []
    style = page.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style
    policy = next(e.attributes["content"] for e in page.all("meta") if "http-equiv" in e.attributes)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert all(header.attributes.get("scope") for header in page.all("th"))
    plots = page.all("svg", role="img")
    titles = [element for element in page.all("title") if element.parents[-1] == "svg"]
    assert len(plots) == len(titles)
    assert all(title.text.strip() for title in titles)
    assert [element.attributes["lang"] for element in page.all("html")] == ["en"]
    return page


def scored_run(store: Path, tasks: Mapping[str, Values], **changes: Any) -> Run:
    """A run whose manifest has scores, as ``harness run`` writes them; see :func:`records.make_run`.

    Args:
        store: Folder of the store.
        tasks: Per task its records or values.
        **changes: As for ``make_run``; ``families``: family by task; ``texts``: prompts of every task are kept.
    """
    families, texts = changes.pop("families", {}), changes.pop("texts", None)
    records = {task: _records(task, values) for task, values in tasks.items()}
    fields = {task: _scored(task, records[task], changes.get("entries", {}).get(task, {})) for task in records}
    fields = {task: {"family": families.get(task, task)} | own for task, own in fields.items()}
    entries = [task_entry(task, records[task], **fields[task]) for task in records]
    files = changes.pop("files", {}) | ({} if texts is None else _logs(records, texts))
    suites = changes.pop("suites", None) or [scored_suite("quick", entries)]
    return make_run(store, records, **changes | {"entries": fields, "files": files, "suites": suites})


def scored_suite(name: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A suite's entry with the mean of its family means."""
    families: dict[str, list[float]] = {}
    for entry in entries:
        families.setdefault(entry["family"], []).append(entry["score"])
    means = {family: math.fsum(scores) / len(scores) for family, scores in families.items()}
    score = math.fsum(means.values()) / len(means)
    ends = [max(0.0, score - 0.02), min(1.0, score + 0.02)]
    return suite_entry(name, entries, score=score, interval=ends, family_scores=means)


def _records(task: str, values: Values) -> list[Record]:
    if len(values) and isinstance(values[0], Record):
        return list(values)  # type: ignore[arg-type]
    return rows(task, values, "f1" if np.ndim(values) == 2 else "acc")


def _scored(task: str, records: Sequence[Record], given: Mapping[str, Any]) -> dict[str, Any]:
    entry = task_entry(task, records, **given)
    fold = FOLDS[entry["folds"][entry["metric"]]]
    counts = np.array([record.counts[entry["metric"]] for record in records if record.error is None])
    ends = interval(fold, counts)
    found = {"score": fold.score(counts.sum(axis=0)), "interval": [e if math.isfinite(e) else None for e in ends]}
    return {"items": len(counts), "chance": 0.25} | found | dict(given)


def _logs(records: Mapping[str, Sequence[Record]], text: str) -> dict[str, bytes]:
    """Sample logs with one prompt for every item."""
    return {
        f"raw/samples/{task}.jsonl.zst": zstandard.ZstdCompressor().compress(
            "".join(
                json.dumps({"doc_id": r.doc_id, "filter": "none", "target": text, "doc": {}, "arguments": [[text]]})
                + "\n"
                for r in own
            ).encode("utf-8", "surrogatepass")
        )
        for task, own in records.items()
    }
