"""From a report to the text of its page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.report.changes import comparison_of, verdict_of
from harness.report.content import Report, Table
from harness.report.origins import differing, licences_of, origins_of, tasks_of
from harness.report.people import Series, labels_of, name_of, series_of
from harness.report.scores import cell_ends, ends, number, suites_of
from harness.report.signs import signatures_of
from harness.show import plural, signed
from harness.show.outcome import HEALTH_SHOWN
from harness.show.words import visible
from harness.store import redact

_LONGEST_TEXT = 600
"""Characters of an item's text that are shown; the middle of a longer one is left out."""

_LED_BY_SCORES = 3
"""Series at most whose headline scores the page leads with, where it compares nothing."""


def html(report: Report) -> str:
    """The page, self-contained; every text is escaped, secrets and invisible characters in it are masked."""
    return _environment().get_template("page.html.j2").render(_content(report))


def _content(report: Report) -> dict[str, Any]:
    labels, series, tasks = labels_of(report.runs, report.labels), series_of(report), tasks_of(report.runs)
    suites = [_with_ids(suite, number) for number, suite in enumerate(suites_of(series), 1)]
    comparisons = [comparison_of(report, place, labels) for place in range(len(report.comparisons))]
    runs = origins_of(report.runs, labels, report.checked)
    signatures = [signatures_of(title, signs) for title, signs in report.signatures]
    tables = [_table(table, place) for place, table in enumerate(report.tables, 1)]
    css = (files("harness") / "assets" / "templates" / "report" / "page.css").read_text(encoding="utf-8")
    lead = list(_lead(report, suites, series))
    if len(comparisons) == 1:  # what leads the page is not said again
        told = {entry["said"] for entry in lead}
        comparisons[0]["sentences"] = [said for said in comparisons[0]["sentences"] if said not in told]
    page = {
        "suites": suites, "comparisons": comparisons, "signatures": signatures, "tables": tables, "runs": runs,
        "notes": report.notes,
    }  # fmt: skip
    return page | {
        "css": Markup(css),  # ours, from the package
        "css_hash": base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        "title": report.title,
        "subtitle": _subtitle(report.runs, suites),
        "lead": lead,
        "failed": [f"{run['label']}: {reason}" for run in runs for reason in run["reasons"]],
        "verdicts": list(_rulings(report, labels)),
        "sections": list(_sections(page)),
        "seeded": any(len(one.runs) > 1 for one in series),
        "arms": bool(report.arms),
        "differing": differing(runs),
        "tasks": tasks,
        "task_ids": {task["name"]: task["id"] for task in reversed(tasks)},
        "licences": licences_of(tasks),
        "flagged": f"{100 * HEALTH_SHOWN:g}",
    }


def _with_ids(suite: dict[str, Any], place: int) -> dict[str, Any]:
    families = dict.fromkeys(task["family"] for task in suite["tasks"])
    grouped = [(family, [task for task in suite["tasks"] if task["family"] == family]) for family in families]
    return suite | {"id": f"suite-{place}", "by_family": grouped}


def _subtitle(runs: Sequence[Any], suites: Sequence[Mapping[str, Any]]) -> str:
    dates = sorted({str(run.manifest["date"])[:10] for run in runs})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else ""
    names = dict.fromkeys(suite["name"] for suite in suites)
    what = f"{plural(len(runs), 'run')} of {', '.join(names)}" if runs else ""
    return " · ".join(part for part in ("Benchmark report", what, when) if part)


def _lead(report: Report, suites: Sequence[Mapping[str, Any]], series: Sequence[Series]) -> Iterator[dict[str, str]]:
    """What a reader must know first: what the report says, or the claims about suites, or the headline scores."""
    if report.lead:
        yield from ({"who": "", "said": sentence} for sentence in report.lead)
    elif report.comparisons:
        yield from _claims(report)
    elif len(series) <= _LED_BY_SCORES:
        rows = ((suite["name"], row) for suite in suites for row in suite["rows"] if row["score"] is not None)
        for suite, row in rows:
            families = plural(len(row["families"]), "family mean")
            score = f"{number(row['score'])} (95 % interval {ends(row['ends'])})"
            said = f"{row['series'].label} scores {score} on {suite}, the mean of {families}."
            yield {"who": "", "said": said}


def _claims(report: Report) -> Iterator[dict[str, str]]:
    """Of each comparison what it begins with, the claims about its suites; of recipes alone where there are some."""
    labels = labels_of(report.runs, report.labels)
    recipes = [comparison for comparison in report.comparisons if comparison.pairs is not None]
    for comparison in recipes or report.comparisons:
        names = [name_of(report, labels, run) for run in (comparison.candidate, comparison.baseline)]
        who = " against ".join(names) if len(report.comparisons) > 1 else ""
        for place, sentence in enumerate(comparison.sentences[: max(1, len(comparison.suites))]):
            yield {"who": who if place == 0 else "", "said": sentence}


def _rulings(report: Report, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Every verdict in a line for the top, and where its claims stand."""
    pairs = [(one.candidate, one.baseline) for one in report.comparisons]
    for verdict in report.verdicts:
        pair = (verdict.comparison.candidate, verdict.comparison.baseline)
        names = [name_of(report, labels, run) for run in pair]
        place = f"comparison-{pairs.index(pair) + 1}" if pair in pairs else None
        yield verdict_of(verdict) | {"names": " against ".join(names), "anchor": place}


def _sections(page: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the page holds, as links."""
    if page["runs"]:
        yield "headline", "Headline scores"
    for comparison in page["comparisons"]:
        yield comparison["id"], f"{comparison['candidate']} against {comparison['baseline']}"
    if page["signatures"]:
        yield "signatures", "How it fails"
    yield from ((table["id"], table["title"]) for table in page["tables"])
    if page["runs"]:
        yield from (("scores", "Scores by task"), ("health", "Health"), ("origin", "Where it comes from"))
        yield "tasks", "Tasks and their data"
    if page["notes"]:
        yield "notes", "Notes"


def _table(table: Table, place: int) -> dict[str, Any]:
    columns = [[row[at] for row in table.rows if at < len(row)] for at in range(len(table.header))]
    numeric = [any(column) and all(not cell or cell[0] in "0123456789+-−" for cell in column) for column in columns]
    return {
        "id": f"table-{place}",
        "title": table.title,
        "header": table.header,
        "rows": table.rows,
        "note": table.note,
        "numeric": numeric,
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("harness", "assets/templates/report"), autoescape=True, undefined=StrictUndefined,
        finalize=_shown, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals |= {
        "plural": plural, "signed": signed, "number": number, "ends": ends, "cell_ends": cell_ends,
        "item_text": _item_text, "tick": _tick, "name": _name,
    }  # fmt: skip
    return environment


def _shown(value: object) -> object:
    """A text of any origin before it is escaped: no secret, and nothing that reorders or hides what is around it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(map(visible, str(redact(value)).split("\n")))


def _name(value: str) -> Markup:
    """A name that may go on in the next line after an underscore."""
    return Markup.escape(_shown(value)).replace("_", Markup("_<wbr>"))  # nothing but the break is markup


def _tick(value: float, signs: bool) -> str:
    """A label of an axis: per cent, or points with their sign."""
    return f"{100 * value:+g}" if signs and value else f"{100 * value:g}"


def _item_text(value: Any) -> str:
    """A prompt, gold or answer as text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]} […] {text[-half:]}"
