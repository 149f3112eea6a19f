"""``experiment.json``: what an experiment consists of, how far it is, what it has shown; ``--json`` prints it too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from harness.engines.environment import versions
from harness.experiment.comparing import Held, overall
from harness.experiment.graph import Cell
from harness.experiment.making import state_of
from harness.experiment.plan import Place, Plan, measured, seconds_left
from harness.experiment.work import Account
from harness.gate.document import EXIT_CODES, headline, verdict_document
from harness.nouns import Run, Verdict
from harness.show import comparison_document
from harness.store import file_digest
from harness.store.disk import replace_file

SCHEMA = "harness.experiment/1"
FILE = "experiment.json"
FAILED = 65


def document_of(plan: Plan, account: Account, held: Sequence[Held] = ()) -> dict[str, Any]:
    """The document.

    Args:
        plan: The plan, with what is made and recorded.
        account: What has failed.
        held: Comparisons; none while cells are missing.
    """
    ruling = overall(held)
    left = [label for label in plan.cells if label not in plan.made]
    return {
        "schema": SCHEMA,
        "matrix": plan.matrix.matrix,
        "title": plan.matrix.title,
        "file": {"name": plan.path.name, "sha256": file_digest(plan.path)},
        "limits": {" + ".join(suites): limit for suites, limit in plan.asking.limits.items()},
        "seeds": list(plan.matrix.seeds),
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cells": [_cell(plan, cell, account) for cell in plan.cells.values()],
        "to_make": left,
        "to_score": [_named(place) for place in plan.places() if place not in plan.runs],
        "seconds_left": seconds_left(plan, measured(plan)),
        "failures": [asdict(failure) for failure in account.failures],
        "comparisons": [_held(one) for one in held],
        "verdict": None if ruling is None else str(ruling),
        "exit_code": exit_code(account, held),
    }


def exit_code(account: Account, held: Sequence[Held]) -> int:
    """That of what failed, where all of it failed alike, else 65; without failures that of the verdict, else 0."""
    codes = {failure.exit_code for failure in account.failures if failure.exit_code is not None}
    if account.failures or any(one.problem for one in held):
        return codes.pop() if len(codes) == 1 else FAILED
    ruling = overall(held)
    return 0 if ruling is None else EXIT_CODES[ruling]


def save(plan: Plan, content: dict[str, Any]) -> None:
    """Write the document into the folder of the experiment.

    Raises:
        StoreError: It cannot be written.
    """
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    replace_file(plan.options.out / FILE, text.encode())


def _cell(plan: Plan, cell: Cell, account: Account) -> dict[str, Any]:
    made = cell.label in plan.made
    state = state_of(cell) if made else None
    return {
        "cell": cell.label,
        "producer": cell.producer,
        "seed": cell.seed,
        "status": "made" if made else "failed" if account.failed(cell.label) else "to make",
        "folder": cell.folder.relative_to(plan.options.out.absolute()).as_posix(),
        "needs": list(cell.needs),
        "key": cell.key,
        "seconds": {} if state is None else {name: round(value, 3) for name, value in state["seconds"].items()},
        "runs": [
            _run(suites, run) for (label, suites), run in plan.runs.items() if label == cell.label
        ],
    }  # fmt: skip


def _run(suites: Sequence[str], run: Run) -> dict[str, Any]:
    scores = {
        entry["name"]: {"score": entry["score"], "interval": entry["interval"]} for entry in run.manifest["suites"]
    }
    return {"suites": scores, "run_id": run.id, "asked": list(suites)}


def _named(place: Place) -> str:
    return f"{place[0]}: {' + '.join(place[1])}"


def _held(one: Held) -> dict[str, Any]:
    return {
        "title": one.title,
        "base": one.base,
        "candidate": one.candidate,
        "baseline": one.baseline,
        "suites": list(one.suites),
        "pairs": [{"seed": seed, "candidate": ours.id, "baseline": theirs.id} for seed, ours, theirs in one.pairs],
        "comparisons": [comparison_document(comparison) for comparison in one.comparisons],
        "recipe": None if one.recipe is None else comparison_document(one.recipe),
        "holm": {suite: {"p_improve": up, "p_harm": down} for suite, (up, down) in (one.adjusted or {}).items()},
        "verdict": None if one.ruling is None else str(one.ruling),
        "verdicts": [_verdict(one, verdict) for verdict in one.verdicts],
        "problem": one.problem or None,
    }


def _verdict(one: Held, verdict: Verdict) -> dict[str, Any]:
    """The verdict as ``harness gate`` writes it; a claim about a recipe rests on several runs, which ``pairs`` has."""
    _, ours, theirs = one.pairs[0]
    single = len(one.pairs) == 1
    runs = {"candidate": ours if single else None, "baseline": theirs if single else None, "anchor": None, "aa": None}
    return {**verdict_document(verdict, runs, "fail"), "sentence": headline(verdict, "fail")}
