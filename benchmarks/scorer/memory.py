"""Peak memory of stock ``hf`` at batch size 8 and of ``tree`` on the same requests, each in a process of its own.

    python -m benchmarks.scorer.memory --mirror DIR [--models nano,A,B] [--works ...]

Two numbers per side: the peak of the process, and how far it lies above the process with the model loaded and the
requests built. The latter is what scoring costs; the former has Python, torch and the weights in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

MIB = 1 << 20


def main() -> None:
    """Print one table row per model and work; with ``--side`` measure one side in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path("build/scorer"))
    parser.add_argument("--models", default="nano,A,B")
    parser.add_argument("--works", default="mmlu 5-shot,hellaswag 0-shot,ner generation 3-shot")
    parser.add_argument("--side", choices=["tree", "hf"])
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measured(options)))
        return
    print("| model | work | stock 8: process, scoring | tree: process, scoring | process | scoring |")
    print("|---|---|---:|---:|---:|---:|")
    for model in options.models.split(","):
        for work in options.works.split(","):
            print(row(model, work, options), flush=True)


def row(model: str, work: str, options: argparse.Namespace) -> str:
    """Both sides of one cell."""
    told = {}
    for side in ("hf", "tree"):
        command = [sys.executable, "-m", "benchmarks.scorer.memory", "--mirror", str(options.mirror), "--side", side]
        command += ["--scratch", str(options.scratch), "--models", model, "--works", work]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        told[side] = json.loads(done.stdout)
    (all_stock, stock), (all_ours, ours) = told["hf"], told["tree"]
    return (
        f"| {model} | {work} | {all_stock / MIB:,.0f}, {stock / MIB:,.0f} MiB | {all_ours / MIB:,.0f}, "
        f"{ours / MIB:,.0f} MiB | {all_ours / all_stock:.2f}x | **{ours / stock:.2f}x** |"
    )


def measured(options: argparse.Namespace) -> tuple[int, int]:
    """Peak bytes of this process, and of them those above the loaded state."""
    import torch

    from benchmarks.scorer.models import folder_of
    from benchmarks.scorer.speed import DOCUMENTS, loaded
    from benchmarks.scorer.works import WORKS, requests_of

    torch.set_num_threads(1)
    requests = requests_of(WORKS[options.works], DOCUMENTS[options.models][options.works], options.mirror)
    lm = loaded(options.side, str(folder_of(options.models, options.scratch)), 8)
    before = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    getattr(lm, requests[0].request_type)(requests, disable_tqdm=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return peak, peak - before


if __name__ == "__main__":
    main()
