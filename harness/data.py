"""Dataset references to rows: embedded items, a local mirror, the hub.

The one place that knows where data comes from. A mirror is a folder laid out as ``<org>/<name>/`` with parquet
files and a ``README.md`` whose YAML front matter names configurations and splits, as on the hub. Its files are
read directly, never through the ``datasets`` cache, which is keyed by folder name and can serve old rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from harness.errors import CardError, DataError, HarnessError, MissingInputError, UnavailableError

_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def mirror_folder(option: Path | None) -> Path | None:
    """The mirror to use: the option, else ``HARNESS_MIRROR``, else None.

    Raises:
        MissingInputError: The folder does not exist.
    """
    named = option or (Path(value) if (value := os.environ.get("HARNESS_MIRROR")) else None)
    if named is not None and not named.is_dir():
        raise MissingInputError(
            f"Mirror {named}", "is not a folder", "point --mirror at a folder laid out as <org>/<name>/"
        )
    return named


def embedded(items: str, **_: Any) -> dict[str, Any]:
    """Rows of an item file that ships with the package, as lm-eval's ``custom_dataset`` wants them.

    Args:
        items: Path below ``harness/assets``, such as ``quick/ner.jsonl``.
        **_: The card's metadata, which lm-eval passes along.

    Returns:
        ``{"test": datasets.Dataset}``.

    Raises:
        CardError: There is no such file in the package.
    """
    from datasets import Dataset

    source = files("harness") / "assets" / items
    if not source.is_file():
        raise CardError(f"Embedded items {items}", "are not in the package", "correct dataset_kwargs.items")
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    return {"test": Dataset.from_list(rows)}


def mirrored(dataset: str, mirror: Path, config: str | None = None) -> Path | None:
    """The mirror's folder that holds a configuration of a hub id, or None.

    A bare legacy id such as ``glue`` matches the only ``<org>/glue``.
    """
    folder = mirror / dataset
    if "/" not in dataset:
        candidates = [path for path in mirror.glob(f"*/{dataset}") if (path / "README.md").is_file()]
        folder = candidates[0] if len(candidates) == 1 else folder
    if not (folder / "README.md").is_file():
        return None
    return folder if config is None or config in configs_of(folder) else None


def mirror_splits(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """Parquet files per split of one configuration of a mirrored dataset.

    Raises:
        DataError: The front matter does not name the configuration, or its files are gone.
    """
    configs = configs_of(folder)
    name = config if config is not None else ("default" if "default" in configs else next(iter(configs), None))
    if name not in configs:
        raise DataError(
            f"Mirror folder {folder.name}",
            f"has no configuration {config!r}",
            f"use one of {sorted(configs)}",
        )
    splits = {entry["split"]: sorted(folder.glob(entry["path"])) for entry in configs[name]["data_files"]}
    missing = [split for split, paths in splits.items() if not paths]
    if missing:
        raise DataError(f"Mirror folder {folder.name}", f"lacks the files of {missing}", "copy the mirror again")
    return splits


def configs_of(folder: Path) -> dict[str, Any]:
    """Configurations that the README of a data set's folder names, by name; empty where it names none.

    Raises:
        DataError: It has no YAML front matter.
    """
    return {entry["config_name"]: entry for entry in _front_matter(folder).get("configs", [])}


@cache
def _front_matter(folder: Path) -> Mapping[str, Any]:
    parts = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    content = yaml.load(parts[1], Loader=_Loader) if len(parts) == 3 else None
    if not isinstance(content, dict):
        raise DataError(f"{folder}/README.md", "has no YAML front matter", "copy the mirror again")
    return content


def load_mirrored(folder: Path, config: str | None, split: str | None = None) -> Any:
    """A mirrored dataset as ``DatasetDict``, or as ``Dataset`` where one split is asked for."""
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict, concatenate_datasets

    splits = mirror_splits(folder, config)
    if split is not None and split not in splits:
        raise DataError(f"Mirror folder {folder.name}", f"has no split {split!r}", f"use one of {sorted(splits)}")
    wanted = {split: splits[split]} if split is not None else splits
    loaded = {
        name: concatenate_datasets([Dataset(pq.read_table(path)) for path in paths]) for name, paths in wanted.items()
    }
    return loaded[split] if split is not None else DatasetDict(loaded)


@contextmanager
def resolving(mirror: Path | None) -> Iterator[None]:
    """While active, every ``datasets.load_dataset`` looks into the mirror first, then at the hub.

    Stock lm-eval tasks call ``datasets.load_dataset`` themselves; redirecting that one function serves them and
    our own cards alike.
    """
    import datasets

    original = datasets.load_dataset

    def load(path: str, name: str | None = None, **kwargs: Any) -> Any:
        folder = mirrored(path, mirror, name) if mirror is not None else None
        if folder is not None:
            return load_mirrored(folder, name, kwargs.get("split"))
        return _from_hub(original, path, name, mirror, kwargs)

    datasets.load_dataset = load
    try:
        yield
    finally:
        datasets.load_dataset = original


def _from_hub(load: Any, path: str, name: str | None, mirror: Path | None, kwargs: dict[str, Any]) -> Any:
    where = f"is not in the mirror {mirror}" if mirror is not None else "is not on this machine"
    try:
        return load(path, name, **kwargs)
    except HarnessError:
        raise
    except (FileNotFoundError, ValueError) as error:
        raise MissingInputError(
            f"Data set {path}" + (f" ({name})" if name else ""),
            f"{where} and the hub does not give it ({_first_line(error)})",
            "connect to the hub, or pass --mirror DIR with a folder of that id",
        ) from error
    except (ConnectionError, OSError) as error:
        thing = f"Data set {path}" + (f" ({name})" if name else "")
        if "offline" in str(error).lower():
            raise MissingInputError(
                thing,
                f"{where} and the hub is switched off (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE)",
                "switch it on, or pass --mirror DIR with a folder of that id",
            ) from error
        raise UnavailableError(
            thing,
            f"{where} and the hub broke off or does not answer ({_first_line(error)})",
            "run the same command again (what was downloaded is kept), or pass --mirror DIR with a folder of that id",
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
