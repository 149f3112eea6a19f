"""From a report to the text of its page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from harness.report.content import Report
from harness.report.people import labels_of, name_of
from harness.show.words import visible
from harness.store import redact


def html(report: Report) -> str:
    """The page, self-contained; every text is escaped, secrets and invisible characters in it are masked."""
    return _template().render(_content(report))


def _content(report: Report) -> dict[str, Any]:
    css = _asset("report.css")
    return {
        "css": Markup(css),
        "css_hash": base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        "title": report.title,
        "lead": report.lead or tuple(_claims(report)),
        "verdicts": [
            (str(verdict.ruling), [claim.sentence for claim in verdict.claims]) for verdict in report.verdicts
        ],
        "comparisons": list(_comparisons(report)),
        "tables": report.tables,
        "notes": report.notes,
    }


def _claims(report: Report) -> Iterator[str]:
    """Of each comparison the claims about its suites, which its sentences begin with."""
    for comparison in report.comparisons:
        yield from comparison.sentences[: max(1, len(comparison.suites))]


def _comparisons(report: Report) -> Iterator[dict[str, Any]]:
    labels = labels_of(report)
    for comparison in report.comparisons:
        names = (name_of(report, labels, run) for run in (comparison.candidate, comparison.baseline))
        yield {"names": tuple(names), "found": comparison}


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("report.html.j2"))


def _shown(value: object) -> object:
    """A text of any origin before it is escaped: no secret, and nothing that reorders or hides what stands around it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(visible, str(redact(value)).split("\n")))


def _asset(name: str) -> str:
    return (files("harness") / "assets" / "templates" / name).read_text(encoding="utf-8")
