"""How the time of ``tree`` and of stock grows with documents, shots, choices and context: four curves, one picture.

    python -m benchmarks.scorer.growth --mirror DIR [--out docs/growth.svg]

The embedded checkpoint, CPU-seconds of one thread. Stock (batch size 1) does the smaller half of each curve.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.scorer.models import NANO
from benchmarks.scorer.speed import loaded, timed
from benchmarks.scorer.works import WORKS, requests_of

Curve = tuple[str, Sequence[int], Callable[[int], list[Any]]]


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/growth.svg"))
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    ours, stock = loaded("tree", str(NANO), 1), loaded("hf", str(NANO), 1)
    drawn = []
    for name, sizes, make in curves(options.mirror):
        points = [(size, timed(ours, make(size))[0]) for size in sizes]
        half = [(size, timed(stock, make(size))[0]) for size in sizes[: -(-len(sizes) // 2)]]
        print(name, "tree", points, "stock", half, flush=True)
        drawn.append((name, points, half))
    draw(drawn, options.out)


def curves(mirror: Path) -> list[Curve]:
    """Name of the axis, its values, and the requests for a value."""
    text = " ".join(request.args[0] for request in requests_of(WORKS["hellaswag 0-shot"], 200, mirror)[::4]).split()
    ends = [f" {word}" for word in dict.fromkeys(text) if word.isalpha()]
    hellaswag = WORKS["hellaswag 10-shot"]

    def choices(count: int) -> list[Any]:
        return [_Request((" ".join(text[50 * n : 50 * n + 50]), end), n) for n in range(16) for end in ends[:count]]

    def context(words: int) -> list[Any]:
        return [_Request((" ".join(text[n : n + words]), end), n) for n in range(8) for end in ends[:4]]

    return [
        ("documents (MMLU 5-shot)", (12, 25, 50, 100, 200), lambda n: requests_of(WORKS["mmlu 5-shot"], n, mirror)),
        ("shots (HellaSwag, 8 documents)", (1, 2, 4, 8, 16),
         lambda n: requests_of(replace(hellaswag, shots=n), 8, mirror)),
        ("choices (16 documents of 50 words)", (2, 4, 8, 16, 32), choices),
        ("words of context (8 documents, 4 choices)", (100, 200, 400, 800, 1600), context),
    ]  # fmt: skip


class _Request:
    """As much of an lm-eval request as scoring reads."""

    request_type = "loglikelihood"

    def __init__(self, args: tuple[str, str], document: int) -> None:
        self.args, self.doc_id, self.task_name = args, document, "synthetic"


def draw(drawn: Sequence[tuple[str, list[tuple[int, float]], list[tuple[int, float]]]], out: Path) -> None:
    """One panel per curve, both axes logarithmic."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (name, ours, stock) in zip(figure.subplots(2, 2).flat, drawn, strict=True):
        axes.plot(*zip(*stock, strict=True), "s--", color="0.5", label="hf, batch size 1")
        axes.plot(*zip(*ours, strict=True), "o-", color="C0", label="tree")
        axes.set(xscale="log", yscale="log", xlabel=name, ylabel="CPU-seconds")
        axes.set_xticks([size for size, _ in ours], labels=[str(size) for size, _ in ours])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()
