"""What other packages can add, and how they are found. The producers and executors of this project use the same doors.

- ``harness.suites``: ``package.module:function`` whose call, or ``package.module:NAME`` whose value, is a folder with
  cards and suite files.
- ``harness.producers``: an object that is a ``Producer``, or a class of them; it may be a ``RecipeChecker`` as well.
- ``harness.executors``: a function that takes ``workers`` and gives an ``Executor``.
- ``harness.commands``: a click command, which becomes a verb of the command line.

Names are listed without importing anything. A broken plug-in is an error that names the package, never a warning, and
two packages with one name are an error that names both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from harness.errors import DataError, UsageError
from harness.nouns import Checkpoint

SUITES_GROUP = "harness.suites"
PRODUCERS_GROUP = "harness.producers"
EXECUTORS_GROUP = "harness.executors"
COMMANDS_GROUP = "harness.commands"

T = TypeVar("T")
R = TypeVar("R")


@runtime_checkable
class Producer(Protocol):
    """Makes a checkpoint; the harness judges it and never trusts it."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The checkpoint that was made from a base by a recipe.

        Args:
            base: Folder or hub id of the base checkpoint.
            recipe: YAML file in the producer's own form.
            out: Folder to write into; what a killed call left there is continued.

        Raises:
            HarnessError: Base, recipe or folder do not allow it.
        """


@runtime_checkable
class RecipeChecker(Protocol):
    """A producer that can tell a wrong recipe before it makes anything; to be one is up to it."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong; what it names need not be there yet.

        Args:
            recipe: YAML file in the producer's own form.

        Raises:
            HarnessError: The recipe is wrong.
        """


class Executor(Protocol):
    """A place where a function runs over many inputs."""

    def map(self, function: Callable[[T], R], inputs: Sequence[T]) -> Iterator[R]:
        """Results in the order of the inputs; the function and its inputs can be pickled."""


def names(group: str) -> tuple[str, ...]:
    """Names that an entry-point group offers, sorted; nothing is imported.

    Raises:
        DataError: Two packages offer one name.
    """
    return tuple(point.name for point in _points(group))


def load(group: str, name: str) -> Any:
    """What an entry point of a group names.

    Raises:
        UsageError: The group has no such name.
        DataError: The plug-in cannot be loaded.
    """
    found = [point for point in _points(group) if point.name == name]
    if not found:
        kind = group.removeprefix("harness.").removesuffix("s")
        known = ", ".join(names(group)) or "none"
        raise UsageError(f"{kind.capitalize()} {name!r}", f"is not installed (there are: {known})", "name one of them")
    try:
        return found[0].load()
    except Exception as error:  # whatever a stranger's module raises, the user must learn which package it was
        raise _broken(found[0], f"cannot be loaded ({error})") from error


def executor(name: str, workers: int | None = None) -> Executor:
    """The executor of that name.

    Raises:
        UsageError, DataError: It is not installed or broken.
    """
    made: Executor = load(EXECUTORS_GROUP, name)(workers)
    return made


def suite_folders() -> tuple[Path, ...]:
    """Folders with cards and suites of installed plug-ins, by entry-point name.

    Raises:
        DataError: A plug-in cannot be loaded or does not give a folder.
    """
    return tuple(_folder(point) for point in _points(SUITES_GROUP))


def _folder(point: EntryPoint) -> Path:
    try:
        value = point.load()
        folder = Path(value() if callable(value) else value)
    except Exception as error:  # whatever a stranger's module raises, the user must learn which package it was
        raise _broken(point, f"cannot be loaded ({error})") from error
    if not folder.is_dir():
        raise _broken(point, f"gives {folder}, no folder")
    return folder


def _points(group: str) -> list[EntryPoint]:
    points = sorted(entry_points(group=group), key=lambda point: (point.name, _package(point)))
    for one, other in pairwise(points):
        if one.name == other.name and _package(one) != _package(other):
            raise DataError(
                f"The name {one.name!r} in {group}", f"is offered by {_package(one)} and by {_package(other)}",
                "uninstall one of them",
            )  # fmt: skip
    return points


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def _broken(point: EntryPoint, reason: str) -> DataError:
    package = _package(point)
    return DataError(f"Plug-in {package} ({point.name})", reason, f"repair or uninstall {package}")
