"""``harness synth``: instruction data, step by step or all at once.

Every step reads what the step before it left in the working folder, and says so where it is missing. A step that is
done with the same settings is not done again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path)
_OUT = click.option("--output_path", "-o", "out", type=_FOLDER, required=True, help="Working folder of the corpus.")
_RECIPE = click.option("--recipe", "-r", type=_FOLDER, required=True, help="YAML file; see docs/synthesis/recipe.md.")
_MIRROR = click.option("--mirror", type=_FOLDER, help="Local mirror of datasets; or set HARNESS_MIRROR.")
_BASE = click.option("--base", help="Checkpoint whose tokenizer counts tokens; default: the embedded one.")
_WORKERS = click.option("--workers", "-w", type=click.IntRange(min=1), help="Processes; default: one per core.")
_EXECUTOR = click.option("--executor", default="local", show_default=True, help="Where shards are worked on.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


@click.group(
    context_settings={
        "token_normalize_func": lambda name: name.replace("-", "_"),
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog="""\b
Examples:
  harness synth run --recipe corpus.yaml -o corpus            every step; offline with the rulebook teacher
  harness synth draft --recipe corpus.yaml -o corpus
  harness synth review -o corpus --reviewer me
  harness synth render -o corpus && harness synth filter -o corpus && harness synth mix -o corpus""",
)
def command() -> None:
    """Make instruction data from seed data sets: Hum-style guidelines, preference rules and format variants."""


@command.command("run")
@_options(_RECIPE, _OUT, _MIRROR, _BASE, _WORKERS, _EXECUTOR, _JSON)
def run(recipe: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Every step of a recipe; what is done already is not done again."""
    from synth.pipeline import STEPS
    from synth.show import show_corpus

    work = _work(out, recipe, options)
    for step in STEPS:
        step(work)
    return show_corpus(work, as_json)


@command.command("draft")
@_options(_RECIPE, _OUT, _MIRROR, _BASE, _WORKERS, _EXECUTOR, _JSON)
def draft(recipe: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Read the seed data, make base instructions, draft guidelines and rules with the teacher."""
    return _one("draft", _work(out, recipe, options), as_json)


@command.command("render")
@_options(_OUT, _WORKERS, _EXECUTOR, _JSON)
def render(out: Path, as_json: bool, **options: Any) -> int:
    """Write prompts and answers: basic examples, and variants with approved guidelines, rules and formats."""
    return _one("render", _work(out, None, options), as_json)


@command.command("filter")
@_options(_OUT, _MIRROR, _BASE, _WORKERS, _EXECUTOR, _JSON)
def filter_(out: Path, as_json: bool, **options: Any) -> int:
    """Annotate every example with what each filter finds; nothing is deleted."""
    return _one("filter", _work(out, None, options), as_json)


@command.command("mix")
@_options(_OUT, _BASE, _WORKERS, _EXECUTOR, _JSON)
def mix(out: Path, as_json: bool, **options: Any) -> int:
    """Select the corpus under its budget and write it with card, manifest and datasheet."""
    return _one("mix", _work(out, None, options), as_json)


@command.command("stats")
@_options(_OUT, _JSON)
def stats(out: Path, as_json: bool) -> int:
    """Measure diversity, shares, the filter funnel and cost; a Markdown and an HTML page."""
    return _one("stats", _work(out, None, {}), as_json)


def _work(out: Path, recipe: Path | None, options: dict[str, Any]) -> Any:
    from synth.pipeline import open_work

    return open_work(out, recipe, **options)


def _one(name: str, work: Any, as_json: bool) -> int:
    from synth import pipeline
    from synth.show import show_step

    return show_step(name, getattr(pipeline, name)(work), as_json)
