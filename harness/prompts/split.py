"""lm-eval tasks that ask for one document's labels in several prompts.

lm-eval sees one document, several requests and one list of results, so the answers are merged before anything is
counted and limits, sample lists and statistics stay in documents.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask

from harness.prompts.schema import Batch, batches, schema


class SplitTask(ConfigurableTask):  # type: ignore[misc]
    """A task whose card states its schema in ``metadata``: ``labels``, ``batch`` (labels per prompt), ``types``.

    The card's functions get every document with ``batches`` (the labels of this prompt, or of all prompts when
    results are scored) and ``types`` added; the documents themselves stay as the data has them.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        """Build the task from a resolved card."""
        metadata = config["metadata"]
        labels = schema(metadata["labels"])
        self.batches: tuple[Batch, ...] = self.batches_of(labels, metadata["batch"])
        self.types: Mapping[str, str] = metadata.get("types", {})
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def batches_of(self, labels: Batch, size: int) -> tuple[Batch, ...]:
        """How the labels are spread over prompts."""
        return batches(labels, size)

    def doc_to_text(self, doc: Mapping[str, Any], doc_to_text: Any = None) -> Any:
        """The prompt for the labels that this task (or view of it) asks for."""
        return super().doc_to_text(self._asking(doc), doc_to_text)

    def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> Any:
        """The gold answer for the labels that this task (or view of it) asks for."""
        return super().doc_to_target(self._asking(doc), doc_to_target)

    def fewshot_context(self, doc: dict[str, Any], num_fewshot: int, **kwargs: Any) -> list[str]:
        """One context per batch of labels; examples before the question are narrowed to the same labels."""
        contexts = []
        for batch in self.batches:
            view = copy.copy(self)
            view.batches = (batch,)
            contexts.append(ConfigurableTask.fewshot_context(view, doc, num_fewshot=num_fewshot, **kwargs))
        return contexts

    def construct_requests(self, doc: dict[str, Any], ctx: Sequence[str], **kwargs: Any) -> list[Instance]:
        """One request per context, numbered in the order of the batches."""
        requests = []
        for number, context in enumerate(ctx):
            request = super().construct_requests(doc, context, **kwargs)
            request.idx = number
            requests.append(request)
        return requests

    def process_results(self, doc: Mapping[str, Any], results: Sequence[str]) -> Any:
        """Counts of the document from the answers to all its prompts."""
        return super().process_results(self._asking(doc), results)

    def _asking(self, doc: Mapping[str, Any]) -> dict[str, Any]:
        return {**doc, "batches": self.batches, "types": self.types}
