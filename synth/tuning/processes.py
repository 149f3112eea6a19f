"""Training in processes of accelerate: several devices, FSDP2, ZeRO, as its configuration file says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import errors
from harness.errors import DataError, MissingInputError
from synth.tuning.faults import explained
from synth.tuning.train import FACTS, Job, train
from synth.tuning.watch import Counted, Line, read_log, say

JOB, COUNTED, FAILURE, OUTPUT = "job.json", "counted.json", "failure.json", "processes.log"
_POLL_S = 1.0


def run(job: Job) -> Mapping[str, Any]:
    """Train here, or under ``accelerate launch`` where the recipe names its configuration; what ``train`` returns.

    Raises:
        HarnessError: As ``train``.
        MissingInputError: The configuration is not there.
        DataError: The processes end without a result.
    """
    if job.recipe.accelerate is None:
        return train(job)
    if not job.recipe.accelerate.is_file():
        raise MissingInputError(f"File {job.recipe.accelerate}", "is not there", "write one with accelerate config")
    with explained(f"Folder {job.folder}"):
        job.folder.mkdir(parents=True, exist_ok=True)
        for name in (COUNTED, FAILURE):
            (job.folder / name).unlink(missing_ok=True)
        content = {"base": job.base, "adapter": job.adapter, "recipe": job.recipe.model_dump(mode="json")}
        (job.folder / JOB).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        code = _wait(job)
    if (job.folder / FAILURE).is_file():
        raise _failure(json.loads((job.folder / FAILURE).read_text(encoding="utf-8")))
    if code or not (job.folder / FACTS).is_file():
        reason = f"ends with exit code {code} and without a result"
        raise DataError("accelerate launch", reason, f"read {job.folder / OUTPUT}")
    return dict(json.loads((job.folder / FACTS).read_text(encoding="utf-8")))


def leave_failure(folder: Path, error: errors.HarnessError) -> None:
    """Leave an error where the process that waits finds it."""
    _leave(folder / FAILURE, {"kind": type(error).__name__, "facts": [error.thing, error.reason, error.next_step]})


def leave_counted(folder: Path, counted: Counted) -> None:
    """Leave what was counted where the process that waits finds it."""
    _leave(folder / COUNTED, asdict(counted))


def _leave(path: Path, content: Mapping[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        json.dump(content, file)
    Path(file.name).replace(path)  # whole at once, also where several processes leave theirs


def _failure(told: Mapping[str, Any]) -> errors.HarnessError:
    error: errors.HarnessError = getattr(errors, told["kind"])(*told["facts"])
    return error


def _wait(job: Job) -> int:
    """The exit code of the processes; their output goes into a file, the live line is shown here."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(job.recipe.accelerate)]
    command += ["-m", "synth.tuning.worker", str(job.folder.resolve())]
    environment = {"TOKENIZERS_PARALLELISM": "false", **os.environ}
    with (job.folder / OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        line = None
        try:
            while True:
                try:
                    return process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    line = _show(job.folder, line)
        finally:
            process.terminate()
            process.wait()
            line = _show(job.folder, line)
            if line is not None:
                line.end()


def _show(folder: Path, line: Line | None) -> Line | None:
    """Say what the processes have counted, once, and move the live line to their last report."""
    if (folder / COUNTED).is_file():
        say(Counted(**json.loads((folder / COUNTED).read_text(encoding="utf-8"))))
        (folder / COUNTED).unlink()
    reports = [row for row in read_log(folder) if "loss" in row]
    if reports:
        last = reports[-1]
        line = line or Line(int(last["steps"]), int(last["step"]), last["tokens"])
        line.move(last)
    return line
