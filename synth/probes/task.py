"""The lm-eval task of a probe; cards name it under ``class``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.prompts.schema import Batch
from harness.prompts.split import SplitTask
from synth.instructions import split
from synth.probes.counting import counts
from synth.probes.reading import Reading
from synth.probes.rows import rows, shown


class ProbeTask(SplitTask):
    """A task whose card states in ``metadata`` what is probed, how, and on how many documents."""

    _rows: Any = None

    def batches_of(self, labels: Batch, size: int) -> tuple[Batch, ...]:
        """Labels per prompt as training has them, but of any number."""
        known = {label.name: label for label in labels}
        return tuple(tuple(known[name] for name in names) for names in split(list(known), size)) or ((),)

    @property
    def eval_docs(self) -> Any:
        """The rows of the probe; made once, though lm-eval asks for them several times."""
        if self._rows is None:
            docs = super().eval_docs
            self._rows = type(docs).from_list(rows(docs, self.config.metadata))
        return self._rows


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The prompt for the labels in ``batches``."""
    return shown(doc, _names(doc)).prompt


def doc_to_target(doc: Mapping[str, Any]) -> str:
    """The gold answer for the labels in ``batches``, in the format that is asked for."""
    return shown(doc, _names(doc)).completion.strip()


def process_results(doc: Mapping[str, Any], results: Sequence[Reading]) -> dict[str, Any]:
    """Counts of one document from the readings of its answers."""
    batches = [[label.name for label in batch] for batch in doc["batches"]]
    return counts(doc, results, batches)


def _names(doc: Mapping[str, Any]) -> list[str] | None:
    """Names of the labels in ``batches``; under a rule, which may rename labels, all of them."""
    return None if doc["rule"] else [label.name for batch in doc["batches"] for label in batch]
