"""What a RUN argument means: a run folder, the beginning of a run id, ``latest``, or what stock lm-eval wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.nouns import Run


def run_of(reference: str, store: Path) -> Run:
    """The run that an argument names; results of stock lm-eval are imported into the store first.

    Args:
        reference: What the user typed.
        store: Folder of the run store.

    Raises:
        HarnessError: There is no such run, its record is damaged, or lm-eval's files cannot be imported.
    """
    from harness.store import load_run

    path = Path(reference)
    if not (path / "run.json").is_file() and next(_results(path), None) is not None:
        from harness.interchange import import_run
        from harness.show import show_notes

        outcome, notes = import_run(path, store)
        show_notes(notes)
        return outcome.run
    return load_run(reference, store)


def is_pointer(reference: str) -> bool:
    """Whether a reference is a pointer file of ``harness baseline``."""
    path = Path(reference)
    return path.suffix == ".json" and not path.is_dir() and not path.name.startswith("results_")


def baseline_of(reference: str, store: Path) -> Run:
    """The run that a reference names, or that a pointer file holds.

    Raises:
        HarnessError: As :func:`run_of`; or the pointer file cannot be read, or points to a run of other suites.
    """
    if not is_pointer(reference):
        return run_of(reference, store)
    from harness.baseline import pointed_run, read_pointer

    path = Path(reference)
    return pointed_run(path, read_pointer(path).baseline, store)


def _results(path: Path) -> Iterator[Path]:
    """Results files of stock lm-eval that a path names or holds."""
    if path.is_file() and path.name.startswith("results_") and path.suffix == ".json":
        yield path
    elif path.is_dir():
        yield from path.rglob("results_*.json")
