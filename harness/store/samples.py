"""Documents, prompts and answers behind the records, as rows of lm-eval's sample log.

Written batch by batch beside the journal; a torn last line or a repeated row (a batch that was redone) is dropped
when the files are compacted for the record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard

from harness.nouns import Run
from harness.store.disk import writing
from harness.store.manifest import items_file


class SampleLog:
    """Sample rows of a run in progress, one file per task in the journal's folder."""

    def __init__(self, folder: Path) -> None:
        """Write below ``folder``/samples; a line that a kill has torn is cut off."""
        self._folder = folder / "samples"
        for path in self._folder.glob("*.jsonl"):
            with writing(path):
                _cut_torn_line(path)

    def append(self, task: str, rows: Sequence[dict[str, Any]]) -> None:
        """Add the rows of one batch.

        Raises:
            StoreError: They cannot be written.
        """
        lines = "".join(json.dumps(row, ensure_ascii=False, default=_plain) + "\n" for row in rows)
        path = self._path(task)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(lines.encode("utf-8", "backslashreplace"))

    def files(self) -> dict[str, Path]:
        """Compacted logs by their path in the record: ``raw/samples/<task>.jsonl.zst``, ascending by doc_id."""
        packed = {}
        for path in sorted(self._folder.glob("*.jsonl")):
            target = path.with_suffix(".jsonl.zst")
            with writing(target):
                _compact(path, target)
            packed[f"raw/samples/{target.name}"] = target
        return packed

    def _path(self, task: str) -> Path:
        return self._folder / Path(items_file(task)).name.removesuffix(".zst")


def sample_file(run: Run, task: str) -> str | None:
    """Path in a run's record of a task's texts: our own log, or an imported one, which carries the time in its name."""
    ours = f"raw/samples/{Path(items_file(task)).name}"
    imported = re.compile(rf"raw/samples_{re.escape(task)}(_\d{{4}}-[^/]*)?\.jsonl")
    return next((name for name in run.manifest["files"] if name == ours or imported.fullmatch(name)), None)


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)


def _compact(source: Path, target: Path) -> None:
    places: dict[tuple[int, str], int] = {}
    with source.open("rb") as file:
        offset = 0
        for line in file:
            if line.endswith(b"\n") and (key := _key(line)) is not None:
                places[key] = offset
            offset += len(line)
        compressor = zstandard.ZstdCompressor(level=6)
        with target.open("wb") as out, compressor.stream_writer(out) as packed:
            for key in sorted(places):
                file.seek(places[key])
                packed.write(file.readline())


def _key(line: bytes) -> tuple[int, str] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return int(row["doc_id"]), str(row["filter"])


def _plain(value: Any) -> Any:
    """JSON form of numpy values, sets and whatever else a dataset row holds."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)
