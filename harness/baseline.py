"""``harness baseline``: the committed pointer that says which run candidates are held against, who says so, and why.

The results lie in the store; the pointer is a few lines of JSON that are reviewed like code. A baseline that follows
every accepted run hides drift (five accepted losses of one point are five points), so the pointer can also hold
an anchor, which stays.
"""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import FailedRunError, MissingInputError, RunRecordError, UsageError
from harness.nouns import Run, Status
from harness.store import load_run, refuse_damaged
from harness.store.disk import replace_file

SCHEMA = "harness.baseline/1"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run that was accepted.

    Attributes:
        run: Run id.
        suites: Digest per suite of the run.
        accepted_by: Who accepted it.
        date: When, ISO 8601.
        reason: Why.
    """

    run: str
    suites: Mapping[str, str]
    accepted_by: str
    date: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer file.

    Attributes:
        baseline: What candidates are held against.
        anchor: What they are held against as well, to see drift.
    """

    baseline: Accepted
    anchor: Accepted | None = None


def accept(run: Run, reason: str, by: str | None) -> Accepted:
    """Accept a run that is whole and complete.

    Args:
        run: The run.
        reason: Why it is accepted.
        by: Who accepts it; None takes the user name of git.

    Raises:
        UsageError: There is no reason, or nobody to name.
        FailedRunError: The run failed its suite's limits.
        RunRecordError: The record was edited or is torn.
    """
    if not reason.strip():
        raise UsageError("--reason", "is empty", "say why this run becomes the baseline")
    if run.manifest["status"] != Status.COMPLETE:
        raise FailedRunError(f"Run {run.id[:12]}", "failed its suite's limits", "accept a complete run")
    refuse_damaged(run)
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Accepted(run.id, suite_digests(run), (by or _git_user()).strip(), date, reason.strip())


def suite_digests(run: Run) -> dict[str, str]:
    """Digest of each suite of a run."""
    return {suite["name"]: suite["digest"] for suite in run.manifest["suites"]}


def moved(path: Path, accepted: Accepted, as_anchor: bool) -> Pointer:
    """The pointer that a newly accepted run gives: the other entry of an existing file stays.

    The first run of a new pointer is its baseline, and with ``as_anchor`` its anchor too.
    """
    if not path.exists():
        return Pointer(accepted, accepted if as_anchor else None)
    old = read_pointer(path)
    return Pointer(old.baseline, accepted) if as_anchor else Pointer(accepted, old.anchor)


def write_pointer(path: Path, pointer: Pointer) -> None:
    """Write a pointer file, whole or not at all.

    Raises:
        StoreError: The place cannot be written.
    """
    content = {"schema": SCHEMA, **{role: entry for role, entry in asdict(pointer).items() if entry is not None}}
    replace_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def read_pointer(path: Path) -> Pointer:
    """Read a pointer file.

    Raises:
        MissingInputError: It is not there.
        RunRecordError: It is no pointer file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(f"Pointer {path}", "is not there", "make it with harness baseline accept") from error
    except (OSError, ValueError) as error:
        raise RunRecordError(f"Pointer {path}", f"cannot be read ({error})", "restore it from git") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise RunRecordError(f"Pointer {path}", f"is no {SCHEMA} file", "make it with harness baseline accept")
    baseline = _accepted(path, content, "baseline")
    return Pointer(baseline, _accepted(path, content, "anchor") if content.get("anchor") is not None else None)


def _accepted(path: Path, content: Mapping[str, Any], role: str) -> Accepted:
    entry = content.get(role)
    texts = ("run", "accepted_by", "date", "reason")
    if (
        not isinstance(entry, dict)
        or set(entry) != {*texts, "suites"}
        or not all(isinstance(entry[name], str) for name in texts)
        or not isinstance(entry["suites"], dict)
    ):
        step = "make it with harness baseline accept"
        raise RunRecordError(
            f"Pointer {path}", f"has an entry {role} without run, suites, accepted_by, date, reason", step
        )
    return Accepted(**entry)


def pointed_run(path: Path, accepted: Accepted, store: Path) -> Run:
    """The run that an entry of a pointer names.

    Raises:
        MissingInputError: The store does not have it.
        RunRecordError: Its suites are not those that were accepted.
    """
    try:
        run = load_run(accepted.run, store)
    except MissingInputError as error:
        step = f"bring the record into {store}, or accept another run"
        raise MissingInputError(
            f"Pointer {path}", f"names the run {accepted.run[:12]}, which {store} lacks", step
        ) from error
    _same_suites(path, accepted, run, "its own record")
    return run


def refuse_other_suites(path: Path, accepted: Accepted, candidate: Run) -> None:
    """Refuse a candidate whose suites are not those that the pointer was accepted for.

    Raises:
        RunRecordError: A suite of the candidate has another digest, or none is shared.
    """
    _same_suites(path, accepted, candidate, f"the candidate {candidate.id[:12]}")


def _same_suites(path: Path, accepted: Accepted, run: Run, other: str) -> None:
    found = suite_digests(run)
    step = "score both on one version of the suite, then harness baseline accept"
    for name, digest in accepted.suites.items():
        if name in found and found[name] != digest:
            reason = f"was accepted for suite {name} {digest[:12]}, but {other} has {found[name][:12]}"
            raise RunRecordError(f"Pointer {path}", reason, step)
    if not set(accepted.suites) & set(found):
        names = f"{', '.join(accepted.suites)}, but {other} has {', '.join(found)}"
        raise RunRecordError(f"Pointer {path}", f"was accepted for {names}", step)


def _git_user() -> str:
    git = shutil.which("git")
    done = None
    if git is not None:
        done = subprocess.run([git, "config", "user.name"], capture_output=True, text=True, check=False)
    if done is None or not done.stdout.strip():
        raise UsageError("--by", "is missing, and git has no user name", "pass --by NAME")
    return done.stdout.strip()
