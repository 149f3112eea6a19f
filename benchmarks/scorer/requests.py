"""CPU-seconds of building and tokenising requests: all of MMLU 5-shot and of HellaSwag 10-shot.

    python -m benchmarks.scorer.requests --mirror DIR

Ours does every document; stock does the first documents of each task, and its time is scaled by the number of
documents. On these the requests and the tokens of both sides are compared. Loading data is left out on both sides.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scorer.models import NANO
from benchmarks.scorer.works import Work, built, loaded
from harness.data import resolving
from harness.engines.tasks import quiet_lm_eval
from harness.engines.templates import compiled_templates
from harness.engines.tree.tokens import Encoder

WORKS = {"mmlu 5-shot": (Work(("mmlu",), 5), 4), "hellaswag 10-shot": (Work(("hellaswag",), 10, own_shots=True), 200)}
"""Each work, and the documents per task that stock does."""


def main() -> None:
    """Print one table row per work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, required=True)
    options = parser.parse_args()
    print("| work | documents | stock: build + tokenise | ours: build + tokenise | ratio |")
    print("|---|---:|---:|---:|---:|")
    with quiet_lm_eval(), resolving(options.mirror):
        for name, (work, sample) in WORKS.items():
            print(row(name, work, sample))


def row(name: str, work: Work, sample: int) -> str:
    """Measure one work."""
    stock, theirs = _stock(loaded(work), sample)
    ours, documents, found = _ours(loaded(work), sample)
    assert found == theirs, "requests or tokens differ"
    scaled = [seconds * documents / (len(theirs) // 4) for seconds in stock]
    return (
        f"| {name} | {documents:,} (stock: {len(theirs) // 4:,}) | {scaled[0]:.1f} + {scaled[1]:.1f} s "
        f"| {ours[0]:.1f} + {ours[1]:.1f} s | **{sum(scaled) / sum(ours):.0f}x** |"
    )


def _stock(tasks: Sequence[Any], sample: int) -> tuple[list[float], list[Any]]:
    lm = _encoding_alone()
    lm.loglikelihood(built(tasks[0], 1), disable_tqdm=True)
    started = time.process_time()
    requests = [request for task in tasks for request in built(_again(task), sample)]
    between = time.process_time()
    pairs = lm.loglikelihood(requests, disable_tqdm=True)
    spent = [between - started, time.process_time() - between]
    return spent, [(request.args, pair) for request, pair in zip(requests, pairs, strict=True)]


def _ours(tasks: Sequence[Any], sample: int) -> tuple[list[float], int, list[Any]]:
    tokenizer = _tokenizer()
    encoder = Encoder(tokenizer, None, tokenizer.bos_token_id)
    spent, documents, found = [0.0, 0.0], 0, []
    for task in tasks:  # task by task, as a run does: the tokens of all are never held at once
        started = time.process_time()
        with compiled_templates():
            requests = built(task, None)
        between = time.process_time()
        pairs = encoder.pairs([request.args for request in requests])
        spent = [spent[0] + between - started, spent[1] + time.process_time() - between]
        documents += len(requests) // 4
        found += [(request.args, pair) for request, pair in list(zip(requests, pairs, strict=True))[: 4 * sample]]
    return spent, documents, found


def _encoding_alone() -> Any:
    """Stock's model without a model: it hands back the tokens that it would score."""
    from lm_eval.models.huggingface import HFLM

    class Encoding(HFLM):  # type: ignore[misc]
        def __init__(self) -> None:
            self.tokenizer, self.add_bos_token, self.backend = _tokenizer(), None, "causal"
            self.custom_prefix_token_id, self.enable_thinking = None, None

        def _loglikelihood_tokens(self, requests: Any, **_: Any) -> Any:
            return [(context, continuation) for _, context, continuation in requests]

    return Encoding()


def _again(task: Any) -> Any:
    task._instances = None
    task.set_fewshot_seed(seed=1234)
    return task


def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO)


if __name__ == "__main__":
    main()
