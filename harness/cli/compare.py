"""``harness compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import json_option
from harness.errors import UsageError


@click.command(
    "compare",
    epilog="""\b
Examples:
  harness compare latest 3f9a2c
  harness compare runs/8c1d… runs/3f9a… --margin 0.01 --show-flips 5
  harness compare SEED1 BASE1 SEED2 BASE2 SEED3 BASE3 --recipe
Exit codes: 0 compared (whatever was found), 64 usage, 65 unlike, failed or damaged runs, 66 no such run.""",
)
@click.argument("runs", nargs=-1, required=True, metavar="CANDIDATE BASELINE")
@click.option("--store", type=click.Path(path_type=Path), default=Path("runs"), show_default=True,
              help="Where run ids are looked up.")  # fmt: skip
@click.option("--tasks", "-t", multiple=True, help="Compare these tasks alone, comma-separated.")
@click.option("--margin", type=float, default=0.02, show_default=True, help="Tolerated drop of a task, in (0, 1).")
@click.option("--suite_margin", type=float, default=0.01, show_default=True,
              help="Tolerated drop of a family or suite, in (0, 1).")  # fmt: skip
@click.option("--show_flips", type=click.IntRange(min=0), default=0, metavar="N",
              help="Show N items per task that were lost, and N that were won.")  # fmt: skip
@click.option("--aa", is_flag=True, help="Two runs of one checkpoint: report the noise floor of flips.")
@click.option("--recipe", is_flag=True, help="Three or more CANDIDATE BASELINE pairs, one per training seed.")
@click.option("--allow_failed", is_flag=True, help="Compare runs that failed their suite's limits, too.")
@json_option
def command(runs: tuple[str, ...], store: Path, as_json: bool, **options: Any) -> int:
    """Compare two runs item by item: what changed, and how sure that is.

    A run is named by its folder, the beginning of its id, or "latest". All differences are candidate minus baseline.
    """
    from harness.cli.runs import run_of
    from harness.compare import Margins, Scope, compare
    from harness.compare.flips import find_flips
    from harness.compare.recipe import compare_recipes
    from harness.show import (
        comparison_document,
        flip_document,
        print_json,
        show_comparison,
        show_flips,
        signatures_document,
    )
    from harness.signatures import recipe_changes, signature_changes

    _check_usage(runs, options)
    names = tuple(name.strip() for entry in options["tasks"] for name in entry.split(",") if name.strip())
    margins = Margins(task=options["margin"], suite=options["suite_margin"])
    scope = Scope(tasks=names, allow_failed=options["allow_failed"], aa=options["aa"])
    loaded = [run_of(name, store) for name in runs]
    if options["recipe"]:
        pairs = list(zip(loaded[::2], loaded[1::2], strict=True))
        recipes = compare_recipes(pairs, margins, scope)
        return show_comparison(recipes, as_json, recipe_changes(pairs, recipes))
    comparison = compare(loaded[0], loaded[1], margins, scope)
    signs = signature_changes(loaded[0], loaded[1], comparison)
    flips = list(find_flips(loaded[0], loaded[1], comparison, options["show_flips"])) if options["show_flips"] else []
    if as_json:
        shown = {"flips": [flip_document(flip) for flip in flips]} if options["show_flips"] else {}
        print_json(comparison_document(comparison) | shown | signatures_document(signs))
        return 0
    show_comparison(comparison, as_json, signs)
    show_flips(flips)
    return 0


def _check_usage(runs: tuple[str, ...], options: dict[str, Any]) -> None:
    if len(runs) % 2 or (len(runs) > 2 and not options["recipe"]):
        reason = "are not candidate and baseline" if len(runs) % 2 else "are more than a candidate and a baseline"
        raise UsageError(f"{len(runs)} runs", reason, "name the candidate, then the baseline")
    if options["recipe"] and (options["aa"] or options["show_flips"]):
        raise UsageError("--recipe", "goes with neither --aa nor --show_flips", "leave one of them out")
