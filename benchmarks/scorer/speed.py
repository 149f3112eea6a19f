"""CPU-seconds of stock ``hf`` and of ``tree`` on the same requests, in one process, beside the FLOP limit.

    python -m benchmarks.scorer.speed --mirror DIR [--models nano,A,B,C] [--works "mmlu 5-shot,piqa 0-shot"]
    python -m benchmarks.scorer.speed --table build/scorer/speed.jsonl

Each side scores the requests of one cell from text to answers, one thread, stock at the batch sizes of ``--batches``;
a few requests warm each up. Answers are compared with those of stock's fastest batch size: choices, greedy flags,
largest difference of a log-likelihood, texts. One JSON line per cell goes to the output file as soon as it is there,
the table to stdout at the end.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scorer.limit import gflops, limit_of
from benchmarks.scorer.models import folder_of
from benchmarks.scorer.works import WORKS, requests_of

DOCUMENTS = {
    model: dict(zip(WORKS, documents, strict=True))
    for model, documents in {
        "nano": (100, 60, 12, 12, 60, 24, 64),
        "A": (100, 40, 8, 8, 40, 24, 32),
        "B": (16, 10, 2, 2, 10, 8, 16),
        "C": (12, 4, 1, 1, 4, 2, 4),
    }.items()
}
"""Documents per model and work: what stock does in a minute or two."""


def main() -> None:
    """Measure every cell that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path)
    parser.add_argument("--scratch", type=Path, default=Path("build/scorer"))
    parser.add_argument("--models", default="nano,A,B,C")
    parser.add_argument("--works", default=",".join(WORKS))
    parser.add_argument("--batches", type=lambda text: [int(size) for size in text.split(",")], default=[1, 8])
    parser.add_argument("--out", type=Path, default=Path("build/scorer/speed.jsonl"))
    parser.add_argument("--table", type=Path, help="Print the table of cells that are measured, and no more.")
    options = parser.parse_args()
    if options.table:
        print(table([json.loads(line) for line in options.table.read_text(encoding="utf-8").splitlines()]))
        return
    import torch

    torch.set_num_threads(1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for model in options.models.split(","):
        for work in options.works.split(","):
            rows.append(cell(model, work, options))
            with options.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps(rows[-1]) + "\n")
    print(table(rows))


def cell(model: str, work: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds and agreement of one model on one work."""
    documents = DOCUMENTS[model][work]
    requests = requests_of(WORKS[work], documents, options.mirror)
    folder = str(folder_of(model, options.scratch))
    lm = loaded("tree", folder, 1)
    seconds, answers = timed(lm, requests)
    limit, rate = limit_of(lm, requests), gflops(lm.model.config.hidden_size)
    stock = {}
    for batch in options.batches:
        lm = None  # one model at a time
        gc.collect()
        lm = loaded("hf", folder, batch)
        stock[batch] = timed(lm, requests)
    best = min(stock, key=lambda batch: stock[batch][0])
    return {
        "model": model, "work": work, "documents": len({(id(r.doc), r.task_name, r.doc_id) for r in requests}),
        "requests": len(requests), **compared(requests, stock[best][1], answers), "tree": seconds,
        **{f"stock {batch}": spent for batch, (spent, _) in stock.items()},
        "limit": limit.seconds(rate), **limit.told(),
    }  # fmt: skip


def loaded(side: str, folder: str, batch: int) -> Any:
    """A model of lm-eval's registry on the CPU."""
    from harness.engines.models import model_class

    return model_class(side)(pretrained=folder, batch_size=batch, device="cpu", dtype="float32")


def timed(lm: Any, requests: Sequence[Any]) -> tuple[float, list[Any]]:
    """CPU-seconds from requests to answers, after a short warm-up."""
    call = getattr(lm, requests[0].request_type)
    call(list(requests[:2]), disable_tqdm=True)
    started = time.process_time()
    answers = call(list(requests), disable_tqdm=True)
    return time.process_time() - started, list(answers)


def compared(requests: Sequence[Any], stock: Sequence[Any], ours: Sequence[Any]) -> dict[str, Any]:
    """How many documents have another choice, requests another greedy flag or text, and the largest difference."""
    if requests[0].request_type == "generate_until":
        return {"other texts": sum(a != b for a, b in zip(stock, ours, strict=True))}
    best: dict[Any, list[tuple[float, float, int]]] = {}
    for request, a, b in zip(requests, stock, ours, strict=True):
        best.setdefault((request.task_name, request.doc_id), []).append((a[0], b[0], request.idx))
    return {
        "other choices": sum(_chosen(rows, 0) != _chosen(rows, 1) for rows in best.values()),
        "other greedy": sum(a[1] != b[1] for a, b in zip(stock, ours, strict=True)),
        "delta": max(abs(a[0] - b[0]) for a, b in zip(stock, ours, strict=True)),
    }


def _chosen(rows: Sequence[tuple[float, float, int]], side: int) -> int:
    return max(rows, key=lambda row: row[side])[2]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The Markdown table of the cells."""
    sizes = [size for size in ("stock 1", "stock 8", "stock 32") if any(row.get(size) for row in rows)]
    heads = (
        "model",
        "work (documents)",
        *sizes,
        "tree",
        "ratio",
        "FLOPs",
        "stock / limit",
        "tree / limit",
        "agreement",
    )
    lines = [f"| {' | '.join(heads)} |", "|---|---|" + "---:|" * (len(heads) - 3) + "---|"]
    for row in rows:
        stock = [row.get(size) for size in sizes]
        best = min(seconds for seconds in stock if seconds is not None)
        shown = " | ".join("" if seconds is None else f"{seconds:.1f}" for seconds in stock)
        agreement = (
            f"{row['other texts']} other texts" if "other texts" in row
            else f"{row['other choices']} other choices, {row['other greedy']} flags, {row['delta']:.0e}"
        )  # fmt: skip
        limits = (row["stock gflop"] / row["gflop"], best / row["limit"], row["tree"] / row["limit"])
        told = "{:.1f}x | {:.1f} | {:.2f}".format(*limits) if "delta" in row else "| |"
        lines.append(
            f"| {row['model']} | {row['work']} ({row['documents']}) | {shown} | {row['tree']:.2f} "
            f"| **{best / row['tree']:.1f}x** | {told} | {agreement} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
