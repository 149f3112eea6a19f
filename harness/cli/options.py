"""Options that several commands share, and what their values mean."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

EMBEDDED = str(files("harness") / "assets" / "nano")
"""Folder of the embedded checkpoint."""

STORE_OPTIONS = frozenset(("output_path", "log_samples", "restart"))
"""Options of ``run`` alone: a ``--config`` file that has them serves ``validate`` too."""


def read_config(ctx: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Use a YAML file's values as defaults: the command line wins over it, it wins over the built-in ones."""
    if value is None:
        return None
    import yaml

    try:
        content = yaml.safe_load(value.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--config {value}", f"cannot be read ({reason})", "correct it") from error
    if not isinstance(content, dict):
        raise UsageError(f"--config {value}", "does not hold a mapping", "write option: value pairs")
    names = {item.name for item in ctx.command.params if item.name}
    for name in content:
        if name not in names | STORE_OPTIONS:
            close = difflib.get_close_matches(str(name), names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"see harness {ctx.command.name} --help"
            raise UsageError(f"--config {value}", f"has the unknown option {name!r}", hint)
    repeatable = {item.name for item in ctx.command.params if getattr(item, "multiple", False)}
    given = {name: _as_option(item, name in repeatable) for name, item in content.items()}
    ctx.default_map = {**(ctx.default_map or {}), **given}
    return value


def _as_option(value: Any, repeatable: bool) -> Any:
    """A YAML value as the command line would give it: a mapping as key=value pairs, one name as a list of one."""
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    return [value] if repeatable and not isinstance(value, list) else value


_FOLDER = click.Path(path_type=Path)

_WHAT = (
    click.option("--config", "-C", type=_FOLDER, is_eager=True, callback=read_config, expose_value=False,
                 help="YAML file with any of these options; the command line wins."),
    click.option("--suite", "-S", multiple=True, help="Suite; repeatable."),
    click.option("--tasks", "-t", multiple=True, help="Tasks, comma-separated: our cards or any lm-eval task."),
    click.option("--model", "-M", default="tree", show_default=True,
                 help="lm-eval model name; tree: local weights, shared prefixes once; hf: the same by stock."),
    click.option("--model_args", "-a", default="", help="key=value,... for the model; pretrained= defaults to nano."),
    click.option("--num_fewshot", "-f", type=click.IntRange(min=0), help="Overrides the cards' number of examples."),
    click.option("--batch_size", "-b", default="auto", show_default=True,
                 help="Documents per batch; auto: as many as suit the model and memory."),
    click.option("--max_memory", help="Memory of the model tree beside weights, such as 4GiB; default: what is free."),
    click.option("--device", help="cpu, cuda, cuda:1, mps; default: CUDA where there is one."),
    click.option("--gen_kwargs", default="", help="key=value,... for generation, over the cards' own."),
    click.option("--limit", "-L", type=float,
                 help="Items per task: a count, or a share below 1; a seeded random sample."),
    click.option("--apply_chat_template", is_flag=False, flag_value="true", default=None,
                 help="Wrap prompts in the tokenizer's chat template (optionally: its name)."),
    click.option("--system_instruction", help="System prompt."),
    click.option("--fewshot_as_multiturn/--no_fewshot_as_multiturn", default=None,
                 help="Few-shot examples as turns; on with a chat template."),
    click.option("--include_path", multiple=True, type=_FOLDER, help="Folder with cards and suites."),
    click.option("--mirror", type=_FOLDER, help="Local mirror of datasets; or set HARNESS_MIRROR."),
    click.option("--seed", default="0,1234,1234,1234", show_default=True,
                 help="Python,NumPy,torch,few-shot; or one number."),
)  # fmt: skip

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")


def what_is_scored(command: F) -> F:
    """Add the options that say which checkpoint is asked what, and how."""
    for option in reversed(_WHAT):
        command = option(command)
    return command


def request_of(options: dict[str, Any], default_suites: tuple[str, ...] = ()) -> Any:
    """The RunRequest that the options stand for.

    Args:
        options: Values of ``what_is_scored`` and, where the command has them, of the store.
        default_suites: Suites where neither a suite nor a task is named.

    Raises:
        UsageError: A value is wrong.
    """
    from harness.engines.items import Prompting
    from harness.engines.job import RunRequest
    from harness.engines.models import ModelOptions, parse_arguments
    from harness.engines.tasks import TaskOptions

    seeds = _seeds(options["seed"])
    tasks = tuple(name.strip() for entry in options["tasks"] for name in entry.split(",") if name.strip())
    return RunRequest(
        suites=tuple(options["suite"]) or (() if tasks else default_suites),
        tasks=tasks,
        model=ModelOptions(
            model=options["model"],
            arguments=_with_embedded(options["model"], parse_arguments(options["model_args"])),
            batch_size=str(options["batch_size"]),
            device=options["device"],
            max_memory=options["max_memory"],
        ),
        store=options.get("output_path", Path("runs")),
        prompting=Prompting(
            chat_template=_template(options["apply_chat_template"]),
            system_instruction=options["system_instruction"],
            fewshot_as_multiturn=options["fewshot_as_multiturn"],
        ),
        options=TaskOptions(options["num_fewshot"], parse_arguments(options["gen_kwargs"], "--gen_kwargs"), seeds[3]),
        limit=_limit(options["limit"]),
        seeds=seeds,
        mirror=options["mirror"],
        include=tuple(options["include_path"]),
        log_samples=options.get("log_samples", True),
        restart=options.get("restart", False),
    )


def _limit(limit: float | None) -> float | None:
    if limit is not None and not 0 < limit < math.inf:
        raise UsageError(f"--limit {limit:g}", "is no number of items to score", "give 1 or more, or a share below 1")
    return limit


def _with_embedded(model: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if model in ("tree", "hf", "hf-auto", "huggingface") and "pretrained" not in arguments:
        return {"pretrained": EMBEDDED, **arguments}
    return arguments


def _template(value: str | bool | None) -> bool | str:
    if value is None or value is False:
        return False
    return True if str(value).lower() == "true" else str(value)


def _seeds(text: Any) -> tuple[int, int, int, int]:
    parts = str(text).split(",")
    parts = parts * 4 if len(parts) == 1 else parts
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise UsageError(
            f"--seed {text}", "is neither one number nor four", "write --seed 0 or --seed 0,1234,1234,1234"
        )
    first, second, third, fourth = (int(part) for part in parts)
    return first, second, third, fourth
