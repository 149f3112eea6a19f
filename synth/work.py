"""A corpus under way: its folder, its recipe, and where its steps run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.data import mirror_folder
from harness.errors import DataError, MissingInputError, StoreError
from harness.plugins import Executor, executor
from synth.recipe import Recipe, read_recipe, settings_of
from synth.records import digest
from synth.shards import done, mark_done, shards, write_shards

_RECIPE = "recipe.json"


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
    """A working folder with the recipe that it is made by; the recipe is written down in it.

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
        StoreError: The folder cannot be written.
    """
    chosen = read_recipe(recipe) if recipe is not None else _begun_with(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _RECIPE).write_text(chosen.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"Folder {folder}", f"cannot be written ({error.strerror})", "name another folder") from error
    embedded = str(files("harness") / "assets" / "nano")
    return Work(folder, chosen, mirror_folder(mirror), base or embedded, executor(executor_name, workers))


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
        target.mkdir(parents=True, exist_ok=True)
        plan.write_text(shaped_by, encoding="utf-8")
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
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.is_file() else (), 1):
        try:
            row = json.loads(line)
            found[row["id"]] = row
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number}", f"cannot be read ({error})", "correct or remove it") from error
    yield from found.values()


def append_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append objects to a file of lines.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise StoreError(f"{path}", f"cannot be written ({error.strerror})", "free space and run again") from error


def digest_of_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the content of files; a file that is not there counts as empty."""
    return digest([path.read_text(encoding="utf-8") if path.is_file() else "" for path in paths])
