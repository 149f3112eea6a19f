"""Probes of one behaviour: the renderings of the same documents in a run, as arrays that pair row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.nouns import Run
from harness.stats.estimates import Clusters
from harness.stats.intervals import Array
from harness.store import Columns, read_columns, read_records

Entry = Mapping[str, Any]
Rows = npt.NDArray[np.int64]


_USUAL: Mapping[str, tuple[str, ...]] = {"labels": ("original",), "order": ("original",), "schema": ("4", "5", "6")}
"""Variants as training has them; the synthesised corpora ask for 4 to 6 labels per prompt."""


@dataclass(frozen=True, slots=True)
class Group:
    """Probes of one kind on the documents of one task.

    Attributes:
        kind: What they vary: format, phrasing, rule, labels, schema, order, general.
        of: The task whose documents they render.
        entries: Their manifest entries by variant.
    """

    kind: str
    of: str
    entries: Mapping[str, Entry]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the probes."""
        return tuple(entry["name"] for entry in self.entries.values())

    def variants(self, seen: bool) -> list[str]:
        """Variants that training may (or may not) have seen: what the card says, else whether it is the usual one."""
        return [name for name, entry in self.entries.items() if self._seen(name, entry) is seen]

    def _seen(self, variant: str, entry: Entry) -> bool:
        return bool(entry["probe"].get("seen", variant in _USUAL.get(self.kind, ())))


@dataclass(frozen=True, slots=True)
class Asked:
    """One run's answers to a group of probes, on the documents that every variant has.

    Attributes:
        run: The run.
        group: The group.
        docs: Row numbers of the documents (n,).
        items: Item ids by variant (n,).
        clusters: Cluster of each document (n,), or None.
        counts: Counts (n, k) by variant and metric.
    """

    run: Run
    group: Group
    docs: Rows
    items: Mapping[str, Any]
    clusters: Clusters | None
    counts: Mapping[str, Mapping[str, Array]]

    def of(self, variant: str, metric: str) -> Array | None:
        """Counts of one metric of one variant; None where it has none, or some document has none."""
        found = self.counts[variant].get(metric)
        return None if found is None or bool(np.isnan(found).any()) else found

    def summed(self, metric: str) -> Array | None:
        """Counts of one metric, summed over the variants that have it; None where none has."""
        tables = [table for variant in self.counts if (table := self.of(variant, metric)) is not None]
        return np.asarray(np.sum(tables, axis=0), dtype=np.float64) if tables else None

    def predictions(self, variant: str) -> list[Any]:
        """The answers to one variant, as recorded, in the order of the documents."""
        task = self.group.entries[variant]["name"]
        held = {record.doc_id: record.prediction for record in read_records(self.run, task)}
        return [held[int(doc)] for doc in self.docs]

    def kept(self, rows: Rows) -> Asked:
        """The same with some of the documents."""
        return Asked(
            self.run,
            self.group,
            self.docs[rows],
            {variant: items[rows] for variant, items in self.items.items()},
            None if self.clusters is None else self.clusters[rows],
            {v: {metric: table[rows] for metric, table in tables.items()} for v, tables in self.counts.items()},
        )


def groups_of(run: Run, names: Iterable[str] | None = None) -> list[Group]:
    """The groups of probes of a run, in its order.

    Args:
        run: A run; records from before probes existed have none.
        names: Tasks to look at; None means all.
    """
    wanted = None if names is None else set(names)
    found: dict[tuple[str, str], dict[str, Entry]] = {}
    for entry in run.manifest["tasks"]:
        probe = entry.get("probe")
        if probe and (wanted is None or entry["name"] in wanted):
            found.setdefault((str(probe["kind"]), str(probe["of"])), {})[str(probe["variant"])] = entry
    return [Group(kind, of, entries) for (kind, of), entries in found.items()]


def read(run: Run, group: Group) -> Asked | None:
    """The answers of a run to a group: documents that any variant could not score are left out of all.

    Returns:
        The answers; None where no document has an answer in every variant.

    Raises:
        RunRecordError: A record is missing or damaged.
    """
    columns = {name: read_columns(run, entry["name"], list(entry["folds"])) for name, entry in group.entries.items()}
    rows = {
        name: {int(held.doc_ids[row]): row for row in np.flatnonzero(~held.failed)} for name, held in columns.items()
    }
    docs = sorted(set.intersection(*map(set, rows.values())))
    if not docs:
        return None
    places = {name: np.array([held[doc] for doc in docs], dtype=np.int64) for name, held in rows.items()}
    first = next(iter(group.entries))
    clustered = group.entries[first]["unit"] != "item"
    return Asked(
        run,
        group,
        np.array(docs),
        {name: held.items[places[name]] for name, held in columns.items()},
        _clusters(columns[first], places[first]) if clustered else None,
        {n: {metric: t[places[n]] for metric, t in held.counts.items()} for n, held in columns.items()},
    )


def pairs_of(candidate: Run, baseline: Run, names: Sequence[str]) -> Iterator[tuple[Asked, Asked]]:
    """Both runs' answers to each group that they share, on the documents that both have.

    Args:
        candidate: The candidate.
        baseline: The baseline.
        names: Tasks that are compared.
    """
    theirs = {(group.kind, group.of): group for group in groups_of(baseline, names)}
    for group in groups_of(candidate, names):
        other = theirs.get((group.kind, group.of))
        sides = () if other is None else (read(candidate, group), read(baseline, other))
        if sides and sides[0] is not None and sides[1] is not None:
            yield from _shared(sides[0], sides[1])


def _shared(ours: Asked, theirs: Asked) -> Iterator[tuple[Asked, Asked]]:
    places = {int(doc): row for row, doc in enumerate(theirs.docs)}
    pairs = [(row, places[int(doc)]) for row, doc in enumerate(ours.docs) if int(doc) in places]
    index = np.array(
        [(a, b) for a, b in pairs if all(ours.items[v][a] == theirs.items[v][b] for v in ours.items)], dtype=np.int64
    ).reshape(-1, 2)
    if len(index):
        yield ours.kept(index[:, 0]), theirs.kept(index[:, 1])


def _clusters(columns: Columns, rows: Any) -> Clusters | None:
    """Clusters of the rows; a document without one is its own."""
    if columns.clusters is None:
        return None
    known, items = columns.clusters[rows], columns.items[rows]
    return np.array([item if one is None else one for one, item in zip(known, items, strict=True)], dtype=object)
