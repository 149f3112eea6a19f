"""Recipes of a matrix: read from a file where they are in one, laid over each other by ``extends``, and filled in.

What a recipe may refer to: ``{seed}``, ``{data.NAME}`` and ``{data.NAME.SELECTION}`` (data that the matrix makes),
``{arm.NAME}`` (the folder of another arm's checkpoint). Relative paths start beside the matrix, or beside the recipe's
own file, so that recipes work as they do with ``harness produce``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.experiment.matrix import read_yaml

SEED = "seed"
_REFERENCE = re.compile(r"\{(seed|(?:data|arm)\.[^{}]*)\}")
_UNQUOTED = re.compile(r"seed|(?:data|arm)\..+")


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder of the user's that a recipe names."""

    path: Path


def load_recipe(recipe: Mapping[str, Any] | Path | None, folder: Path, place: str) -> dict[str, Any]:
    """A recipe as a mapping, its paths found.

    Args:
        recipe: The mapping, or the path of a YAML file that has one; None for an empty one.
        folder: Folder that relative paths start from.
        place: What messages call it.

    Raises:
        MissingInputError: The file is not there.
        DataError: The file is no YAML mapping, or a reference lacks its quotes.
    """
    if isinstance(recipe, Path):
        path = folder / recipe
        content, _ = read_yaml(path, "Recipe")
        return load_recipe(content, path.parent, f"Recipe {path}")
    return dict(_located(dict(recipe or {}), folder, place))


def _located(value: Any, folder: Path, place: str) -> Any:
    """The value with its relative paths found."""
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value.values())) is None and _UNQUOTED.fullmatch(str(next(iter(value)))):
            name = next(iter(value))
            raise DataError(place, f"has {{{name}}} without quotes, which YAML reads otherwise", f'write "{{{name}}}"')
        return {key: _located(entry, folder, place) for key, entry in value.items()}
    if isinstance(value, list):
        return [_located(entry, folder, place) for entry in value]
    return _path(value, folder) if isinstance(value, str) and ("/" in value or "." in value) else value


def _path(text: str, folder: Path) -> Any:
    """A text that may be a path: a file where there is one; one with a reference where the folder before it exists."""
    head, reference, _ = text.partition("{")
    if not reference:
        path = folder / text
        return File(path.resolve()) if path.exists() else text
    above = head.rpartition("/")[0]
    return str(folder.resolve() / text) if above and (folder / above).is_dir() else text


def over(recipe: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with changes laid over it: mappings are merged, everything else is replaced."""
    merged = dict(recipe)
    for key, value in changes.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = over(below, value) if both and below is not None else value
    return merged


def references(recipe: Any) -> Iterator[str]:
    """What a recipe refers to: ``seed``, ``data.hum``, ``data.hum.no_rules``, ``arm.with``."""
    if isinstance(recipe, Mapping):
        for value in recipe.values():
            yield from references(value)
    elif isinstance(recipe, list):
        for value in recipe:
            yield from references(value)
    elif isinstance(recipe, str):
        yield from _REFERENCE.findall(recipe)


def texts(recipe: Any) -> Iterator[str]:
    """Every text that stands for itself in a recipe."""
    if isinstance(recipe, Mapping | list):
        for value in recipe.values() if isinstance(recipe, Mapping) else recipe:
            yield from texts(value)
    elif isinstance(recipe, str):
        yield recipe


def filled(recipe: Any, value_of: Callable[[str], Any], file_of: Callable[[Path], Any]) -> Any:
    """A recipe with its references and files replaced.

    Args:
        recipe: The recipe.
        value_of: Value of a reference; a text that is nothing but a reference becomes it, of whatever type.
        file_of: Value of a file of the user's.
    """
    if isinstance(recipe, Mapping):
        return {key: filled(value, value_of, file_of) for key, value in recipe.items()}
    if isinstance(recipe, list):
        return [filled(value, value_of, file_of) for value in recipe]
    if isinstance(recipe, File):
        return file_of(recipe.path)
    if not isinstance(recipe, str):
        return recipe
    whole = _REFERENCE.fullmatch(recipe)
    if whole:
        return value_of(whole[1])
    text = _REFERENCE.sub(lambda found: str(value_of(found[1])), recipe)
    return file_of(Path(text)) if text != recipe and text.startswith("/") and Path(text).exists() else text
