"""A corpus under way: its folder, its recipe, and where its steps run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from harness.data import mirror_folder
from harness.errors import DataError, InterruptedRunError, MissingInputError, StoreError
from harness.plugins import Executor, executor
from synth import teachers
from synth.recipe import Recipe, read_recipe, settings_of
from synth.records import digest
from synth.shards import done, mark_done, shards, unwritable, write_shards, write_text

_RECIPE, _LOCK = "recipe.json", ".lock"


@dataclass(frozen=True, slots=True)
class Work:
    """What every step is given.

    Attributes:
        folder: Working folder of the corpus.
        recipe: The recipe.
        mirror: Local mirror of datasets, if any.
        base: Checkpoint whose tokenizer counts, where the recipe names none.
        executor: Where shards are worked on.
    """

    folder: Path
    recipe: Recipe
    mirror: Path | None
    base: str
    executor: Executor

    @property
    def tokenizer(self) -> str:
        """Folder or hub id of the tokenizer that counts."""
        return self.recipe.filters.tokenizer or self.base

    def part(self, name: str) -> Path:
        """A file or folder of the working folder."""
        return self.folder / name


def open_work(
    folder: Path, recipe: Path | None, *, mirror: Path | None = None, base: str | None = None,
    workers: int | None = None, executor_name: str = "local",
) -> Work:  # fmt: skip
    """A working folder with the recipe that it is made by.

    Args:
        folder: The folder.
        recipe: YAML file; None for the recipe that the folder was begun with.
        mirror: Local mirror of datasets; None for ``HARNESS_MIRROR``.
        base: Checkpoint whose tokenizer counts; None for the embedded one.
        workers: Processes of the executor; None for one per core.
        executor_name: Name of the executor.

    Raises:
        MissingInputError: No recipe is named and the folder has none.
        DataError: The recipe is wrong.
    """
    chosen = read_recipe(recipe) if recipe is not None else _begun_with(folder)
    teachers.check(chosen.teacher)
    embedded = str(files("harness") / "assets" / "nano")
    return Work(folder, chosen, mirror_folder(mirror), base or embedded, executor(executor_name, workers))


@contextmanager
def at_work(work: Work) -> Iterator[None]:
    """Keep the folder for the steps of this process, and note the recipe that they follow.

    The hold ends with the process, however it ends.

    Raises:
        StoreError: Another process is at work there, or the folder cannot be written.
        InterruptedRunError: Ctrl-C; what to do next is in the message.
    """
    folder = work.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    except OSError as error:
        raise unwritable(folder, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            write_text(folder / _RECIPE, work.recipe.model_dump_json(indent=1) + "\n")
            yield
        except BlockingIOError as error:
            reason = "is being worked on by another process"
            raise StoreError(f"Folder {folder}", reason, "wait until it ends, or name another folder") from error
        except KeyboardInterrupt as error:
            reason = "is not finished; whole shards and all answers of a teacher are kept"
            raise InterruptedRunError(f"Folder {folder}", reason, "give the same command to go on") from error


def _begun_with(folder: Path) -> Recipe:
    path = folder / _RECIPE
    if not path.is_file():
        raise MissingInputError(f"Folder {folder}", "was not begun with a recipe", "run harness synth draft first")
    try:
        return settings_of(Recipe, json.loads(path.read_text(encoding="utf-8")), f"Recipe {path}")
    except ValueError as error:
        raise DataError(f"Recipe {path}", f"is no JSON ({error})", "run harness synth draft again") from error


def write_step(folder: Path, shaped_by: str, rows: Callable[[], Iterable[Mapping[str, Any]]]) -> int:
    """Rows of a step in shards, written anew unless they were shaped by the same content; the number of rows.

    Args:
        folder: Folder of the step.
        shaped_by: Digest of everything that shapes the rows.
        rows: Makes the rows; not called where they are there.
    """
    finished = done(folder, shaped_by)
    if finished is None:
        clear(folder)
        count = write_shards(folder, rows())
        if not count:
            raise DataError(f"The step {folder.name}", "leaves no row", "check the sources of the recipe")
        mark_done(folder, shaped_by, rows=count)
        return count
    return int(finished["rows"])


def write_per_shard(
    source: Path, target: Path, shaped_by: str, where: Executor, function: Callable[[tuple[Path, Path]], int]
) -> int:
    """Every shard of a step made into a shard of the next, in processes; a killed step keeps its whole shards.

    Args:
        source: Folder of the step before.
        target: Folder of this step.
        shaped_by: Digest of everything that shapes the rows.
        where: The executor.
        function: From a shard and the folder of this step to the number of rows that it wrote there, under the same
            shard number.

    Returns:
        The number of rows.
    """
    finished = done(target, shaped_by)
    if finished is not None:
        return int(finished["rows"])
    plan = target / "_plan"
    if not plan.is_file() or plan.read_text(encoding="utf-8") != shaped_by:
        clear(target)
        write_text(plan, shaped_by)
    count = sum(where.map(function, [(path, target) for path in shards(source)]))
    mark_done(target, shaped_by, rows=count)
    return count


def shaped(folder: Path) -> str:
    """The digest that shaped a finished step.

    Raises:
        MissingInputError: The step is not finished.
    """
    path = folder / "_done.json"
    if not path.is_file():
        raise MissingInputError(
            f"Step {folder.name}", f"is not done in {folder.parent}", "run the step before it first"
        )
    return str(json.loads(path.read_text(encoding="utf-8"))["shaped_by"])


def clear(folder: Path) -> None:
    """Take away what other settings left in the folder of a step."""
    shutil.rmtree(folder, ignore_errors=True)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of an append-only file: of those with one id the last, in the order of their first lines.

    Raises:
        DataError: A line is no JSON object with an id.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, line in enumerate(path.read_bytes().split(b"\n") if path.is_file() else (), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8", "surrogatepass"))
            found[row["id"]] = row
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number}", f"cannot be read ({error})", "correct or remove it") from error
    yield from found.values()


def append_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append objects to a file of lines, each as soon as it is there; lines of two processes never mix.

    Raises:
        StoreError: It cannot be written.
    """
    for row in rows:
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        try:
            with path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _end_last_line(file)
                file.write(line)
        except OSError as error:
            raise unwritable(path, error) from error


def _end_last_line(file: BinaryIO) -> None:
    """End a last line without a line feed, or take it away where a killed process left only a part of it."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return
    file.seek(size - 1)
    if file.read() == b"\n":
        return
    file.seek(0)
    last = file.read().rsplit(b"\n", 1)[-1]
    try:
        json.loads(last.decode("utf-8", "surrogatepass"))
    except ValueError:
        file.truncate(size - len(last))
    else:
        file.write(b"\n")


def digest_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the content of files; a file that is not there counts as empty."""
    found = []
    for path in paths:
        if path.is_file():
            with path.open("rb") as file:
                found.append(hashlib.file_digest(file, "sha256").hexdigest())
        else:
            found.append("")
    return digest(found)
