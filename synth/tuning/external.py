"""A trainer of another project, in a process and an environment of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from harness.errors import DataError, UnavailableError
from synth.tuning.faults import explained
from synth.tuning.recipe import CommandRecipe

LOG = "command.log"


def run(settings: CommandRecipe, base: str, work: Path) -> None:
    """Run a command to its end; what it prints goes into ``command.log``.

    Args:
        settings: The command.
        base: What ``{base}`` stands for.
        work: What ``{out}`` stands for.

    Raises:
        DataError: It has an unknown placeholder, or ends with another exit code than 0.
        UnavailableError: It is not installed or takes too long.
        StoreError: The folder cannot be written.
    """
    command = _filled(settings, base, work)
    name, log = f"Command {command[0]}", work / LOG
    with explained(f"Folder {work}"):
        work.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            code = _code(command, settings, output, name)
    if code:
        last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        raise DataError(name, f"ended with exit code {code} ({last[:200]})", f"read {log}")


def _filled(settings: CommandRecipe, base: str, work: Path) -> list[str]:
    known = {"base": base, "out": str(work), "data": str(settings.data or ""), "seed": str(settings.seed)}
    try:
        return [part.format(**known) for part in settings.command]
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        reason = f"has a placeholder that is not known ({error})"
        raise DataError("command", reason, "use {base}, {out}, {data} and {seed}; write {{ for a brace") from error


def _code(command: list[str], settings: CommandRecipe, output: object, name: str) -> int:
    """The exit code; whatever happens here, no process of the command is left running."""
    environment = {**os.environ, **settings.environment}
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,  # type: ignore[call-overload]
            start_new_session=True,
        )  # fmt: skip
    except (FileNotFoundError, PermissionError) as error:
        raise UnavailableError(name, "is not installed or cannot be run", "give its full path") from error
    try:
        return int(process.wait(settings.timeout_s))
    except subprocess.TimeoutExpired as error:
        reason = f"did not end within {settings.timeout_s:g} s"
        raise UnavailableError(name, reason, f"read {LOG} in its folder, or raise timeout_s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
