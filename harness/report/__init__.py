"""``harness report``: one self-contained HTML page about one or several runs.

The page holds what was scored, the claims, scores and differences with their intervals, how the checkpoint fails,
where every number comes from, and the way to its items. It loads nothing from elsewhere and runs no script; the same
runs give the same bytes. Comparing, gating and finding signatures are other verbs' work: what they found is handed in.
"""

from harness.report.content import Report, Table
from harness.report.page import html
from harness.report.people import labels_of
from harness.report.write import write_report

__all__ = ["Report", "Table", "html", "labels_of", "write_report"]
