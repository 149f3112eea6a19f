"""``harness produce``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import json_option

_FOLDER = click.Path(path_type=Path)


@click.command(
    "produce",
    epilog="""\b
Examples:
  harness produce lora --base ./my-checkpoint --recipe tuning.yaml -o tuned
  harness produce synth --recipe corpus.yaml -o corpus
  harness produce import --recipe adapter.yaml -o imported --json
  harness ls producers""",
)
@click.argument("producer")
@click.option("--base", help="Folder or hub id of the base checkpoint; default: the embedded one.")
@click.option("--recipe", "-r", type=_FOLDER, required=True, help="YAML file in the producer's own form.")
@click.option("--output_path", "-o", type=_FOLDER, required=True, help="Folder to write into.")
@json_option
def command(producer: str, base: str | None, recipe: Path, output_path: Path, as_json: bool) -> int:
    """Let a producer make a checkpoint, or the data for one, of a base.

    The folder gets a checkpoint.json that says how it was made. An interrupted call continues where it stopped when the
    same command is given again.
    """
    from harness.cli.options import EMBEDDED
    from harness.produce import produce
    from harness.show import show_produced

    return show_produced(produce(producer, base or EMBEDDED, recipe, output_path), output_path, as_json)
