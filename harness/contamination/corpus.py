"""Training data: files, folders and data sets of the mirror, as one stream of texts.

Files are read row by row and never as a whole, but for JSON, which has no other way. What cannot be read is an error
with its place: rows that were left out in silence would make a clean report of a dirty corpus.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.data import configs_of, mirror_splits, mirrored
from harness.errors import DataError, MissingInputError, UsageError
from harness.store.canonical import digest, file_digest

KINDS = (".jsonl", ".ndjson", ".json", ".parquet", ".txt")
PACKINGS = (".gz", ".zst")
SPLIT = "train"
"""Split of a data set that is read where none is named."""

_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """A file of training rows.

    Attributes:
        path: Where it lies.
        name: What it is called in reports; never a path of this machine.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """What a model was trained on, or is to be.

    Attributes:
        name: What it is called in reports.
        sources: Its files, in order.
        fields: Fields whose strings count; none means all.
    """

    name: str
    sources: tuple[Source, ...]
    fields: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(source.path.stat().st_size for source in self.sources)

    @property
    def digest(self) -> str:
        """SHA-256 over the SHA-256 of every file and the chosen fields: equal content has equal digests anywhere."""
        return digest([[file_digest(source.path) for source in self.sources], list(self.fields)])


def corpus_of(references: Sequence[str], mirror: Path | None, fields: Sequence[str] = ()) -> Corpus:
    """The corpus that references name.

    Args:
        references: Files, folders, or data sets of the mirror as ``org/name[:config[:split]]``; a part that is left
            empty means every configuration, and the split ``train``. Splits are joined with ``+``.
        mirror: Local mirror of datasets, if any.
        fields: Fields whose strings count, such as ``text`` or ``messages.content``; none means all.

    Raises:
        UsageError: Nothing is named, or a file is of no kind that can be read.
        MissingInputError: There is no such file, folder or data set, or nothing in it.
        DataError: The card of a data set names no such configuration or split.
    """
    if not references:
        raise UsageError("--data", "names nothing", "name a file, a folder or a data set of the mirror")
    found = [_sources(reference, mirror) for reference in references]
    name = " + ".join(name for name, _ in found)
    sources = {source.path.resolve(): source for _, sources in found for source in sources}
    return Corpus(name, tuple(sources.values()), tuple(fields))


def kind_of(path: Path) -> str | None:
    """The ending that says how a file is read, without that of its packing; None where it is not known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKINGS:
        suffixes.pop()
    kind = suffixes[-1] if suffixes else ""
    return kind if kind in KINDS and not (kind == ".parquet" and path.suffix.lower() in PACKINGS) else None


def _sources(reference: str, mirror: Path | None) -> tuple[str, list[Source]]:
    path = Path(reference)
    if path.is_file():
        if kind_of(path) is None:
            raise UsageError(f"--data {reference}", "is of no kind that is read", f"give {_kinds()}")
        return path.name, [Source(path, path.name)]
    if path.is_dir():
        return path.resolve().name, _folder(path, path.resolve().name)
    return _data_set(reference, mirror)


def _folder(folder: Path, name: str) -> list[Source]:
    """Files of a folder: the training split where a card names splits, otherwise all that can be read."""
    if _has_card(folder):
        return _splits(folder, name, "", SPLIT)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and kind_of(path) and not _hidden(path, folder))
    if not files:
        raise MissingInputError(f"Data {folder}", "holds no file of training rows", f"give {_kinds()}")
    return [Source(path, path.relative_to(folder).as_posix()) for path in files]


def _data_set(reference: str, mirror: Path | None) -> tuple[str, list[Source]]:
    name, _, rest = reference.partition(":")
    config, _, split = rest.partition(":")
    local = Path(name)
    folder = local if local.is_dir() and _has_card(local) else None
    if folder is None and mirror is not None and _ID.fullmatch(name):
        folder = mirrored(name, mirror)
    if folder is None:
        where = f"nor a data set of the mirror {mirror}" if mirror is not None else "and no mirror is named"
        hint = "check the name" if mirror is not None else "check the name, or pass --mirror DIR for a data set"
        raise MissingInputError(f"Data {reference}", f"is neither a file nor a folder, {where}", hint)
    label = name if folder is not local else folder.resolve().name
    return ":".join(filter(None, (label, *rest.split(":")))), _splits(folder, label, config, split or SPLIT)


def _splits(folder: Path, name: str, config: str, splits: str) -> list[Source]:
    """Files of splits of one configuration, or of all."""
    configs = configs_of(folder)
    if config and config not in configs:
        raise DataError(f"Data {name}", f"has no configuration {config!r}", f"use one of {sorted(configs)}")
    found: dict[Path, Source] = {}
    for one in [config] if config else list(configs):
        files = mirror_splits(folder, one)
        for split in splits.split("+"):
            if split not in files:
                raise DataError(f"Data {name}:{one}", f"has no split {split!r}", f"use one of {sorted(files)}")
            found |= {path: Source(path, f"{name}/{path.relative_to(folder).as_posix()}") for path in files[split]}
    return list(found.values())


def _has_card(folder: Path) -> bool:
    try:
        return (folder / "README.md").is_file() and bool(configs_of(folder))
    except (DataError, UnicodeDecodeError):
        return False


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _kinds() -> str:
    return f"{', '.join(KINDS)}, packed as {' or '.join(PACKINGS)} or not"
