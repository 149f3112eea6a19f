"""Where runs are kept: one immutable folder per run, a journal for a run in progress, a chained ledger.

    <store>/<run id>/run.json                canonical JSON (RFC 8785); the run id is its SHA-256
                     items/<task>.jsonl.zst  one Record per line, ascending by doc_id
                     raw/..., env.json       whatever else the verb hands over
    <store>/partial/<spec digest>/           journal.jsonl and spec.json of a run in progress
    <store>/contamination/                   what a run's training data was checked for, one file per check
    <store>/ledger.jsonl                     append-only; each line carries the SHA-256 of the line before it

A run is written in three steps: ``Journal.open(store, spec)`` while it computes, ``commit(store, manifest,
journal.records, files)`` once it is done, ``journal.discard()``. It is found again with :func:`load_run` and
:func:`list_runs` and read with :func:`read_records`, :func:`read_counts` and :func:`read_columns`.
"""

from harness.store.canonical import canonical, digest, file_digest, parse
from harness.store.checked import CHECKED, Checked, checked_problems, read_checked, write_checked
from harness.store.columns import Columns, columns_of, read_columns
from harness.store.commit import commit
from harness.store.items import ItemCounts, read_counts, read_records
from harness.store.journal import Journal
from harness.store.ledger import Entry, read_ledger
from harness.store.load import list_runs, load_run
from harness.store.manifest import SCHEMA
from harness.store.redact import redact
from harness.store.rows import decode_row, encode_row, record_to_row, row_to_record
from harness.store.verify import Problem, refuse_damaged, verify

__all__ = [
    "CHECKED",
    "SCHEMA",
    "Checked",
    "Columns",
    "Entry",
    "ItemCounts",
    "Journal",
    "Problem",
    "canonical",
    "checked_problems",
    "columns_of",
    "commit",
    "decode_row",
    "digest",
    "encode_row",
    "file_digest",
    "list_runs",
    "load_run",
    "parse",
    "read_checked",
    "read_columns",
    "read_counts",
    "read_ledger",
    "read_records",
    "record_to_row",
    "redact",
    "refuse_damaged",
    "row_to_record",
    "verify",
    "write_checked",
]
