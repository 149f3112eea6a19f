"""``harness synth``: instruction data, step by step or all at once.

Every step reads what the step before it left in the working folder, and says so where it is missing. A step that is
done with the same settings is not done again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from synth.cli.review import review

F = TypeVar("F", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path)
_OUT = click.option("--output_path", "-o", "out", type=_FOLDER, required=True, help="Working folder of the corpus.")
_RECIPE = click.option(
    "--recipe", "-r", type=_FOLDER, required=True, help="YAML file; its keys stand in docs/synthesis/README.md."
)
_MIRROR = click.option("--mirror", type=_FOLDER, help="Local mirror of datasets; or set HARNESS_MIRROR.")
_BASE = click.option("--base", help="Checkpoint whose tokenizer counts tokens; default: the embedded one.")
_WORKERS = click.option("--workers", "-w", type=click.IntRange(min=1), help="Processes; default: one per core.")
_EXECUTOR = click.option("--executor", default="local", show_default=True, help="Where shards are worked on.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")


ALL = ("draft", "render", "filter", "mix", "stats")
ABLATIONS = ("no_guidelines", "no_rules", "no_formats", "unfiltered", "basic_only")


def _examples(*lines: str) -> str:
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


class _InOrder(click.Group):
    """Lists commands in the order of the pipeline."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={
        "token_normalize_func": lambda name: name.replace("-", "_"),
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog=_examples(
        "harness synth run --recipe corpus.yaml -o corpus            every step; offline with the rulebook teacher",
        "harness synth draft --recipe corpus.yaml -o corpus",
        "harness synth review -o corpus --reviewer me",
        "harness synth render -o corpus && harness synth filter -o corpus && harness synth mix -o corpus",
    ),
)
def command() -> None:
    """Make instruction data from seed data sets: Hum-style guidelines, preference rules and format variants."""


@command.command(
    "run",
    short_help="Every step of a recipe.",
    epilog=_examples(
        "harness synth run --recipe corpus.yaml -o corpus",
        "harness synth run --recipe corpus.yaml -o corpus --mirror ./data --workers 8",
        "harness synth run --recipe corpus.yaml -o corpus --base ./my-checkpoint --json",
    ),
)
@_options(_RECIPE, _OUT, _MIRROR, _BASE, _WORKERS, _EXECUTOR, _JSON)
def run(recipe: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Every step of a recipe; what is done already is not done again."""
    return _do(ALL, out, recipe, as_json, options)


@command.command(
    "draft",
    short_help="Base instructions, guidelines, rules.",
    epilog=_examples(
        "harness synth draft --recipe corpus.yaml -o corpus",
        "harness synth draft --recipe corpus.yaml -o corpus --mirror ./data",
    ),
)
@_options(_RECIPE, _OUT, _MIRROR, _BASE, _WORKERS, _EXECUTOR, _JSON)
def draft(recipe: Path, out: Path, as_json: bool, **options: Any) -> int:
    """Read the seed data, make base instructions, draft guidelines and rules with the teacher."""
    return _do(("draft",), out, recipe, as_json, options)


command.add_command(review)


@command.command(
    "render",
    short_help="Prompts and answers, variants too.",
    epilog=_examples("harness synth render -o corpus --workers 8"),
)
@_options(_OUT, _WORKERS, _EXECUTOR, _JSON)
def render(out: Path, as_json: bool, **options: Any) -> int:
    """Write prompts and answers: basic examples, and variants with approved guidelines, rules and formats."""
    return _do(("render",), out, None, as_json, options)


@command.command(
    "filter",
    short_help="Annotate every example.",
    epilog=_examples(
        "harness synth filter -o corpus", "harness synth filter -o corpus --mirror ./data --base ./my-checkpoint"
    ),
)
@_options(_OUT, _MIRROR, _BASE, _WORKERS, _EXECUTOR, _JSON)
def filter_(out: Path, as_json: bool, **options: Any) -> int:
    """Annotate every example with what each filter finds; nothing is deleted."""
    return _do(("filter",), out, None, as_json, options)


@command.command(
    "mix",
    short_help="Select the corpus and write it.",
    epilog=_examples("harness synth mix -o corpus", "harness synth mix -o corpus --ablation no_rules"),
)
@_options(_OUT, _BASE, _WORKERS, _EXECUTOR, _JSON)
@click.option("--ablation", type=click.Choice(ABLATIONS), help="A row selection of equal size, into corpus-ABLATION/.")
def mix(out: Path, as_json: bool, ablation: str | None, **options: Any) -> int:
    """Select the corpus under its budget and write it with card, manifest and datasheet.

    It goes to corpus/ in the working folder.
    """
    return _do(("mix",), out, None, as_json, options, ablation=ablation)


@command.command(
    "stats",
    short_help="Diversity, shares, funnel, cost.",
    epilog=_examples("harness synth stats -o corpus    then open corpus/stats/index.html"),
)
@_options(_OUT, _JSON)
def stats(out: Path, as_json: bool) -> int:
    """Measure diversity, shares, the filter funnel and cost; a Markdown and an HTML page."""
    return _do(("stats",), out, None, as_json, {})


def _do(
    steps: Sequence[str], out: Path, recipe: Path | None, as_json: bool, options: dict[str, Any], **settings: Any
) -> int:
    from synth import pipeline
    from synth.show import Screen, show
    from synth.work import open_work

    if "executor" in options:
        options["executor_name"] = options.pop("executor")
    work = open_work(out, recipe, **options)
    screen = Screen(quiet=as_json)
    facts = pipeline.make(work, screen, steps, **settings)
    return show(facts, out, as_json)
