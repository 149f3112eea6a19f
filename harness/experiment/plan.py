"""What an experiment will do: its cells, which of them are made, which runs are recorded, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.catalog import load_catalog
from harness.data import mirror_folder
from harness.engines.checkpoint import identify, local_folder
from harness.errors import DataError, HarnessError, UsageError
from harness.experiment.graph import Cell, Definition, Folders, base_reference, cells, definitions, seeded_names
from harness.experiment.making import digests_of, is_made, state_of, write_recipe
from harness.experiment.matrix import Matrix, matrix_path, nearest, read_matrix
from harness.experiment.scoring import Asking, asking, recorded, request_of
from harness.nouns import Run
from harness.plugins import PRODUCERS_GROUP, names
from harness.policy import Policy, load_policy
from harness.produce import check_recipe
from harness.store import file_digest

PAIRS = 3
"""Fewest pairs of training seeds that a claim about a recipe rests on."""

Place = tuple[str, tuple[str, ...]]
"""A cell's label and the suites of one run."""


@dataclass(frozen=True)
class Options:
    """What the command line says of an experiment.

    Attributes:
        out: Folder of the experiment.
        embedded: Folder of the embedded checkpoint.
        only: Arms that are made and scored; none means all.
        limit: Items per task, instead of the matrix's.
        mirror: Local mirror of datasets.
        batch_size: Documents per batch.
        device: Torch device; None for CUDA where there is one.
    """

    out: Path
    embedded: str
    only: tuple[str, ...] = ()
    limit: float | None = None
    mirror: Path | None = None
    batch_size: str = "auto"
    device: str | None = None


@dataclass(frozen=True)
class Plan:
    """An experiment before it is done, or while it is.

    Attributes:
        matrix: The matrix.
        path: Its file.
        options: The command line.
        cells: What has to be made, by label, in order.
        asking: What each checkpoint is asked.
        policies: Gate policies by reference.
        made: Labels of the cells that are made.
        runs: Recorded runs.
    """

    matrix: Matrix
    path: Path
    options: Options
    cells: Mapping[str, Cell]
    asking: Asking
    policies: Mapping[str, Policy]
    made: set[str] = field(default_factory=set)
    runs: dict[Place, Run] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """Where runs are recorded."""
        return self.options.out / "runs"

    def places(self) -> Iterator[Place]:
        """Every run that belongs to the experiment."""
        for label, cell in self.cells.items():
            if cell.base is not None:
                yield from ((label, suites) for suites in self.matrix.suites)

    def take_in(self, cell: Cell, known: Mapping[str, Run]) -> None:
        """Note that a cell is made, and which of its runs are recorded."""
        self.made.add(cell.label)
        if cell.base is None:
            return
        digests = digests_of(cell)
        for suites in self.matrix.suites:
            if run := known.get(self.asking.key(suites, digests)):
                self.runs[cell.label, suites] = run


def make_plan(reference: str, options: Options) -> Plan:
    """Check everything that can be checked without computing, and look up what is there already.

    Args:
        reference: Path of a matrix, or the name of one that ships with the package.
        options: The command line.

    Raises:
        UsageError: A name is unknown, an arm is held against itself, a claim has too few seeds, or a folder holds what
            was made from other inputs.
        DataError: Matrix or recipes are wrong.
        MissingInputError: A file or a base is not there.
    """
    path = matrix_path(reference)
    matrix = read_matrix(path)
    defined = definitions(matrix, path)
    _check_producers(defined, path)
    _check_comparisons(matrix, defined, path)
    bases = {name: base_reference(one, path.parent, options.embedded) for name, one in matrix.bases.items()}
    chosen = _chosen(matrix, defined, options.only)
    found = cells(matrix, chosen, Folders(options.out.absolute(), bases, cache(_identity), cache(_content)))
    _check_recipes(found, path)
    request = request_of(
        {
            "store": options.out / "runs",
            "mirror": mirror_folder(options.mirror),
            "include": tuple(path.parent / folder for folder in matrix.include),
            "log_samples": matrix.log_samples,
            "chat_template": matrix.apply_chat_template,
            "batch_size": options.batch_size,
            "device": options.device,
        }
    )
    asked = asking(request, _limits(matrix, options.limit, path), load_catalog(request.include))
    plan = Plan(matrix, path, options, found, asked, _policies(matrix, path))
    known = recorded(plan.store)
    for cell in found.values():
        if is_made(cell):
            plan.take_in(cell, known)
    plan.made.update(_used_up(plan))
    return plan


def _limits(matrix: Matrix, given: float | None, path: Path) -> dict[tuple[str, ...], float | None]:
    """Items per task of each run: what the command line says, else the matrix, for all suites or for each.

    Raises:
        UsageError: The command line's is no number of items.
        DataError: A limit is of a suite on which nothing is scored, or the suites of one run have several.
    """
    if given is not None and not 0 < given < math.inf:
        raise UsageError(f"--limit {given:g}", "is no number of items to score", "give 1 or more, or a share below 1")
    if given is not None or not isinstance(matrix.limit, dict):
        return dict.fromkeys(matrix.suites, matrix.limit if given is None else given)  # type: ignore[arg-type]
    known = sorted({name for run in matrix.suites for name in run})
    for name in matrix.limit:
        if name not in known:
            reason = f"is of the suite {name}, on which nothing is scored"
            raise DataError(f"Matrix {path}, limit", reason, nearest(name, known, "add it to suites"))
    found = {}
    for run in matrix.suites:
        own = {matrix.limit.get(name) for name in run}
        if len(own) > 1:
            reason = f"differs within the run of {' + '.join(run)}"
            raise DataError(f"Matrix {path}, limit", reason, "give these suites a run each: suites: [[a], [b]]")
        found[run] = own.pop()
    return found


def _used_up(plan: Plan) -> list[str]:
    """Data that is not there any more, but that no cell needs any more either."""
    users: dict[str, list[str]] = {}
    for label, cell in plan.cells.items():
        for name in cell.needs:
            users.setdefault(name, []).append(label)
    return [
        label
        for label, cell in plan.cells.items()
        if cell.base is None and label in users and all(user in plan.made for user in users[label])
    ]


def _identity(reference: str) -> Any:
    """What identifies a base: digests of a folder, else its hub id, which need not be on this machine yet."""
    if Path(reference).is_dir():
        return dict(identify("hf", {"pretrained": reference}).digests)
    local_folder(reference, None)  # refuses a path that is not there
    return reference


def _content(path: Path) -> Any:
    """Digests of a file of the user's, or of every file of a folder."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    return [[file.relative_to(path).as_posix(), file_digest(file)] for file in files]


def _check_producers(defined: Mapping[str, Definition], path: Path) -> None:
    known = names(PRODUCERS_GROUP)
    for one in defined.values():
        if one.producer not in known:
            thing = f"Matrix {path}, {one.name.replace('.', ' ', 1)}"
            hint = nearest(one.producer, known, f"name one of {', '.join(known)}")
            raise UsageError(thing, f"has the producer {one.producer!r}, which is not installed", hint)


def _check_recipes(found: Mapping[str, Cell], path: Path) -> None:
    """Let producers look at the recipe of one cell each of data and arms."""
    first: dict[str, Cell] = {}
    for cell in found.values():
        first.setdefault(cell.name, cell)
    with TemporaryDirectory() as folder:
        for cell in first.values():
            recipe = Path(folder) / f"{cell.name}.yaml"
            write_recipe(cell, recipe)
            try:
                check_recipe(cell.producer, recipe)
            except HarnessError as error:
                thing = f"Matrix {path}, {cell.name.replace('.', ' ', 1)}"
                raise type(error)(
                    thing, f"has a recipe that {cell.producer} refuses: it {error.reason}", error.next_step
                ) from error


def _check_comparisons(matrix: Matrix, defined: Mapping[str, Definition], path: Path) -> None:
    seeded, suites = seeded_names(defined), {name for run in matrix.suites for name in run}
    for number, entry in enumerate(matrix.compare, 1):
        place = f"Matrix {path}, comparison {number}"
        for arm in (entry.candidate, entry.baseline):
            if arm not in matrix.arms:
                reason = f"names the arm {arm}, which the matrix does not have"
                raise DataError(place, reason, nearest(arm, list(matrix.arms), "define it"))
        if entry.candidate == entry.baseline:
            raise UsageError(place, f"holds {entry.candidate} against itself", "name another arm")
        if unknown := [name for name in entry.policies if name not in suites]:
            reason = f"gates the suite {unknown[0]}, on which nothing is scored"
            raise DataError(place, reason, nearest(unknown[0], sorted(suites), "add it to suites"))
        if entry.claim == "recipe":
            _check_recipe(place, f"arm.{entry.candidate}" in seeded, len(matrix.seeds))


def _check_recipe(place: str, seeded: bool, seeds: int) -> None:
    if not seeded:
        reason = "claims something about a recipe, but its candidate is the same for every seed"
        raise UsageError(place, reason, 'write seed: "{seed}" in the recipe of the arm')
    if seeds < PAIRS:
        reason = f"claims something about a recipe over {seeds} of the seeds, and one says nothing of the next"
        raise UsageError(place, reason, f"give at least {PAIRS} seeds, or write claim: checkpoint")


def _policies(matrix: Matrix, path: Path) -> dict[str, Policy]:
    """Policies by what the matrix calls them; a relative path starts at its folder."""
    wanted = dict.fromkeys(policy for entry in matrix.compare for policy in entry.policies.values())
    return {name: load_policy(str(local) if (local := path.parent / name).is_file() else name) for name in wanted}


def _chosen(matrix: Matrix, defined: Mapping[str, Definition], only: Sequence[str]) -> dict[str, Definition]:
    """Definitions of the arms that are wanted, and what they need; data that no arm uses stays where all are."""
    for arm in only:
        if arm not in matrix.arms:
            raise UsageError(f"--only {arm}", "is no arm of the matrix", nearest(arm, list(matrix.arms), "correct it"))
    if not only:
        return dict(defined)
    wanted = [f"arm.{arm}" for arm in only]
    for name in wanted:
        wanted += [one for one in defined[name].needs if one not in wanted]
    return {name: one for name, one in defined.items() if name in wanted}


def measured(plan: Plan) -> dict[str, list[float]]:
    """Seconds that earlier cells took, by what was done: ``arm.with`` for making, ``nano: quick`` for scoring."""
    found: dict[str, list[float]] = {}
    for label in plan.made:
        state = state_of(plan.cells[label])
        if state is not None and "producing" in state["seconds"]:
            found.setdefault(plan.cells[label].name, []).append(state["seconds"]["producing"])
    for (label, suites), run in plan.runs.items():
        found.setdefault(f"{plan.cells[label].base}: {'+'.join(suites)}", []).append(run.manifest["seconds"])
    return found


def seconds_left(plan: Plan, spent: Mapping[str, Sequence[float]]) -> float | None:
    """Estimate for what is left to do; None where some of it was never measured."""
    todo = [cell.name for label, cell in plan.cells.items() if label not in plan.made]
    todo += [f"{plan.cells[place[0]].base}: {'+'.join(place[1])}" for place in plan.places() if place not in plan.runs]
    if not all(name in spent for name in todo):
        return None
    return sum(sum(spent[name]) / len(spent[name]) for name in todo)
