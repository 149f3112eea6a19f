"""The measurements in words: sections that the Markdown and the HTML page share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from synth.markdown import table

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a page.

    Attributes:
        title: Its title.
        text: What is shown and how to read it.
        table: Header and rows; may be empty.
        plots: Names of its plots.
    """

    title: str
    text: str
    table: tuple[Row, ...] = ()
    plots: tuple[str, ...] = ()


def sections(numbers: Mapping[str, Any]) -> list[Section]:
    """The sections of a page, in order."""
    labels = tuple(f"labels-{family}" for family in numbers["labels"])
    return [
        Section("Shares", _SHARES, _shares(numbers), ("strategies",)),
        Section("Answer formats", _FORMATS, (), ("formats",)),
        Section("Funnel", _FUNNEL, _funnel(numbers), ("funnel",)),
        Section("Diversity", _DIVERSITY, _diversity(numbers)),
        Section("Templates", _templates(numbers)),
        Section("Lengths", _LENGTHS, _lengths(numbers), ("lengths",)),
        Section("Labels", _LABELS, _labels(numbers), labels),
        Section("Teacher", *_teacher(numbers["teacher"])),
    ]


def markdown(name: str, numbers: Mapping[str, Any]) -> str:
    """The Markdown page; plots are files beside it."""
    parts = [f"# {name}: statistics", f"{numbers['records']:,} examples. Every number is in `stats.json`."]
    for section in sections(numbers):
        parts += [f"## {section.title}", section.text]
        parts += [table(section.table)] if section.table else []
        parts += [f"![{section.title}: {plot}]({plot}.svg)" for plot in section.plots]
    return "\n\n".join(parts) + "\n"


def html(name: str, numbers: Mapping[str, Any], drawn: Mapping[str, str]) -> str:
    """The HTML page, self-contained: no script, no outside asset."""
    from jinja2 import Environment, StrictUndefined

    source = files("synth.stats").joinpath("page.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    return template.render(name=name, tiles=_tiles(numbers), sections=sections(numbers), drawn=drawn) + "\n"


_SHARES = (
    "How many examples each combination of strategies shaped, by family. Basic examples carry no strategy; an example "
    "can carry several."
)
_FORMATS = "The formats in which answers are asked. Formats that are held out for evaluation do not occur."
_FUNNEL = (
    "How many rendered examples are left after each filter, in the order of the filters, and how many the selection "
    "took of those. Nothing is deleted: rejected examples stay in the pool with the reason."
)
_DIVERSITY = (
    "Measured on the same seeded sample in every run, because every one of these numbers depends on how many texts are "
    "compared. distinct-n: share of different n-grams among all. Vendi score: effective number of different texts, "
    "from 1 to the size of the sample. self-BLEU: similarity of a text to the others, lower is more diverse."
)
_LENGTHS = "Tokens are those of prompt and completion together, by the recipe's tokenizer; the others are characters."
_LABELS = "How often each label is the answer; the plots show the most frequent ones of each family."


def _tiles(numbers: Mapping[str, Any]) -> list[tuple[str, str]]:
    basic = numbers["shares"].get("basic", 0.0)
    median = numbers["lengths"]["tokens"]
    return [
        (f"{numbers['records']:,}", "examples"),
        (str(len(numbers["families"])), "families"),
        (str(len(numbers["sources"])), "sources"),
        (f"{_percent(1 - basic)} %", "with a strategy"),
        (str(len({name for counts in numbers["formats"].values() for name in counts})), "answer formats"),
        ("not counted" if median is None else f"{median['median']:,.0f}", "tokens, median"),
    ]


def _shares(numbers: Mapping[str, Any]) -> tuple[Row, ...]:
    names = list(numbers["shares"])
    rows = [
        (family, f"{sum(counts.values()):,}", *(_percent(_share_of(name, counts)) for name in names))
        for family, counts in numbers["strategies"].items()
    ]
    total = ("all", f"{numbers['records']:,}", *(_percent(numbers["shares"][name]) for name in names))
    return (("family", "examples", *(f"{name}, %" for name in names)), *rows, total)


def _share_of(strategy: str, combinations: Mapping[str, int]) -> float:
    having = sum(rows for names, rows in combinations.items() if strategy in names.split("+"))
    return having / sum(combinations.values())


def _funnel(numbers: Mapping[str, Any]) -> tuple[Row, ...]:
    steps: Sequence[Mapping[str, Any]] = numbers["funnel"]
    first = steps[0]["left"]
    rows = [(step["step"], f"{step['left']:,}", _percent(step["left"] / first)) for step in steps]
    return (("step", "examples left", "of rendered, %"), *rows)


def _diversity(numbers: Mapping[str, Any]) -> tuple[Row, ...]:
    header = ("of", "texts", "distinct-1", "distinct-2", "distinct-3", "Vendi score", "self-BLEU", "texts for it")
    rows = []
    for name, found in numbers["diversity"].items():
        distinct = (_decimal(found["distinct"][n], 3) for n in ("1", "2", "3"))
        scores = (_decimal(found["vendi"], 1), _decimal(found["self_bleu"], 3))
        rows.append((name, f"{found['texts']:,}", *distinct, *scores, str(found["self_bleu_texts"])))
    return (header, *rows)


def _templates(numbers: Mapping[str, Any]) -> str:
    found = numbers["templates"]
    if found["top"] is None:
        return "There is no example."
    evenness = "" if found["evenness"] is None else f", {_percent(found['evenness'])} % of what even use would have"
    return (
        f"A template is a phrasing with a format. {found['different']} are in use, with an entropy of "
        f"{found['entropy_bits']:.2f} bits{evenness}. The most frequent is {found['top']}, with "
        f"{_percent(found['top_share'])} % of the examples."
    )


def _lengths(numbers: Mapping[str, Any]) -> tuple[Row, ...]:
    names = ("least", "p5", "median", "mean", "p95", "most")
    rows = []
    for of, found in numbers["lengths"].items():
        cells = ("not counted",) * len(names) if found is None else tuple(f"{found[name]:,.0f}" for name in names)
        rows.append((of, *cells))
    return (("of", *names), *rows)


def _labels(numbers: Mapping[str, Any]) -> tuple[Row, ...]:
    rows = [
        (
            family, f"{found['different']:,}", f"{sum(found['facts'].values()):,}",
            _decimal(found["entropy_bits"], 2), _percent(_without_fact(numbers["facts"][family])),
        )
        for family, found in numbers["labels"].items()
    ]  # fmt: skip
    return (("family", "labels", "facts", "entropy, bits", "examples without a fact, %"), *rows)


def _without_fact(facts: Mapping[str, int]) -> float:
    return facts.get("0", 0) / sum(facts.values())


def _teacher(usage: Mapping[str, Any] | None) -> tuple[str, tuple[Row, ...]]:
    if usage is None:
        return "Nothing is recorded about the teacher.", ()
    names = {
        "sent": "requests answered by a model or server",
        "cached": "requests answered by the cache",
        "retries": "retries after a fault",
        "reasks": "questions asked again",
        "prompt_tokens": "prompt tokens",
        "completion_tokens": "completion tokens",
    }
    rows = [(words, f"{usage[name]:,}") for name, words in names.items() if name in usage]
    cost = usage.get("cost")
    return "What drafting and judging asked of the teacher so far, and what it cost in the recipe's currency.", (
        ("what", "number"), *rows, ("cost", "not known: the recipe has no price" if cost is None else f"{cost:,.2f}"),
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _decimal(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:,.{digits}f}"
