"""Doing what a plan says, cell by cell: a cell that fails is told with its reason, and the others go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.errors import HarnessError, InterruptedRunError
from harness.experiment.graph import Cell
from harness.experiment.making import add_seconds, make
from harness.experiment.plan import Plan
from harness.experiment.scoring import recorded, score
from harness.run import Screen

MAKING = "making"
INTERNAL = 70
_MIRROR = "HARNESS_MIRROR"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell, or one of its runs, is not there.

    Attributes:
        label: The cell.
        step: ``making`` or the suites that it was to be scored on.
        reason: The error's sentence.
        exit_code: Its exit code; None where only something that it needs has failed.
    """

    label: str
    step: str
    reason: str
    exit_code: int | None


@dataclass
class Account:
    """What has come of an experiment so far.

    Attributes:
        failures: What failed.
    """

    failures: list[Failure] = field(default_factory=list)

    def failed(self, label: str) -> bool:
        """Whether a cell could not be made."""
        return any(failure.label == label and failure.step == MAKING for failure in self.failures)


class Teller(Protocol):
    """Who tells how the work goes on; ``harness.experiment.screen`` has the one for people."""

    @property
    def run(self) -> Screen:
        """What a run tells while it works."""

    def making(self, plan: Plan, cell: Cell) -> None:
        """Say that a cell is being made."""

    def scoring(self, plan: Plan, cell: Cell, suites: tuple[str, ...]) -> None:
        """Say that a checkpoint is being scored."""

    def failed(self, failure: Failure) -> None:
        """Say what failed."""


def carry_out(plan: Plan, teller: Teller, save: Callable[[Account], None]) -> Account:
    """Make and score every cell that is not there yet.

    Args:
        plan: The plan; what is made and recorded is noted in it.
        teller: Told how it goes on.
        save: Called after each cell.

    Raises:
        InterruptedRunError: Ctrl-C; everything that was made and scored stays.
    """
    account = Account()
    site = _Site(plan, teller, account)
    try:
        with _mirror_named(plan.asking.request.mirror):
            for cell in plan.cells.values():
                _do(site, cell)
                save(account)
    except (KeyboardInterrupt, InterruptedRunError):
        save(account)
        raise InterruptedRunError("The experiment", f"was interrupted; {progress(plan)}", _AGAIN) from None
    return account


@contextmanager
def _mirror_named(mirror: Path | None) -> Iterator[None]:
    """Name the mirror in the environment, which is how producers learn of it."""
    before = os.environ.get(_MIRROR)
    if mirror is not None:
        os.environ[_MIRROR] = str(mirror)
    try:
        yield
    finally:
        if mirror is not None and before is None:
            del os.environ[_MIRROR]
        elif before is not None:
            os.environ[_MIRROR] = before


_AGAIN = "give the same command to go on"


def progress(plan: Plan) -> str:
    """``5 of 12 cells are made, 9 of 20 runs recorded``."""
    runs = len(list(plan.places()))
    return f"{len(plan.made)} of {len(plan.cells)} cells are made and {len(plan.runs)} of {runs} runs recorded"


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a cell is worked on: the plan, who tells of it, and the account."""

    plan: Plan
    teller: Teller
    account: Account

    def fail(self, failure: Failure) -> bool:
        """Note and tell a failure; never true."""
        self.account.failures.append(failure)
        self.teller.failed(failure)
        return False


def _do(site: _Site, cell: Cell) -> None:
    """Make a cell and score it; the time that neither takes is the runner's own."""
    plan, started, spent = site.plan, time.perf_counter(), {"producing": 0.0, "scoring": 0.0}
    if cell.label not in plan.made and not _made(site, cell, spent):
        return
    for suites in plan.matrix.suites if cell.base is not None else ():
        if (cell.label, suites) not in plan.runs:
            _score(site, cell, suites, spent)
    if any(spent.values()):
        spent["own"] = time.perf_counter() - started - sum(spent.values())
        add_seconds(cell, spent)


def _made(site: _Site, cell: Cell, spent: dict[str, float]) -> bool:
    if missing := next((label for label in cell.needs if site.account.failed(label)), None):
        return site.fail(Failure(cell.label, MAKING, f"needs {missing}, which failed", None))
    site.teller.making(site.plan, cell)
    try:
        spent["producing"] = make(cell, site.plan.options.out / "recipes")
    except InterruptedRunError:
        raise
    except HarnessError as error:
        return site.fail(Failure(cell.label, MAKING, str(error), error.exit_code))
    site.plan.take_in(cell, recorded(site.plan.store))
    return True


def _score(site: _Site, cell: Cell, suites: tuple[str, ...], spent: dict[str, float]) -> None:
    site.teller.scoring(site.plan, cell, suites)
    started = time.perf_counter()
    try:
        site.plan.runs[cell.label, suites] = score(cell, suites, site.plan.asking, site.teller.run).run
    except InterruptedRunError:
        raise
    except HarnessError as error:
        site.fail(Failure(cell.label, "+".join(suites), str(error), error.exit_code))
    except Exception as error:  # a fault of ours in one cell must not cost the others; the command below shows it
        command = f"harness run -a pretrained={cell.folder} --debug"
        text = f"internal error ({type(error).__name__}: {error}); {command} shows where"
        site.fail(Failure(cell.label, "+".join(suites), text, INTERNAL))
    finally:
        spent["scoring"] += time.perf_counter() - started
