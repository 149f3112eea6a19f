"""The page as a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from harness.errors import StoreError
from harness.report.content import Report
from harness.report.page import html
from harness.store.disk import replace_file


def write_report(report: Report, out: Path) -> None:
    """Write the page of a report.

    Args:
        report: What the page shows.
        out: The file; one that is there is replaced.

    Raises:
        StoreError: The place is a folder, or cannot be written.
    """
    if out.is_dir():
        raise StoreError(str(out), "is a folder", f"name a file, such as {out / 'report.html'}")
    replace_file(out, html(report).encode("utf-8", "backslashreplace"))
