"""``harness lm-eval``."""

from __future__ import annotations

import click


@click.command(
    "lm-eval",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Call lm-eval's own command line, with the model tree.

    What lm-eval is asked, it does and prints; see harness lm-eval run --help.
    """
    from harness.engines.lm_eval_command import run_lm_eval

    return run_lm_eval(arguments)
