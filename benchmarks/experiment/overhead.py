"""An experiment against the same commands one by one: CPU-seconds, wall time, and the runner's own time per cell.

    python -m benchmarks.experiment.overhead [--seeds 3] [--limit 20] [--steps 10]

Both sides make the embedded checkpoint's null arm and one tuned arm per seed, score each on quick, and compare each
with the base. One side is a matrix; the other is `harness produce`, `harness run` and `harness compare`, each a process
of its own. The trainings are short, so that what surrounds them shows. The scores of both sides must be equal.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

SUITES = ("quick-nlu", "quick-general")


def harness(*arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "harness", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2):
        sys.exit(done.stderr)
    return done.stdout


def spent() -> tuple[float, float]:
    """CPU-seconds of the processes that have ended so far, and the clock."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime, time.perf_counter()


def recipe(folder: Path, steps: int, seed: int | str) -> dict[str, object]:
    """A short full training."""
    return {"data": str(folder / "rows.jsonl"), "steps": steps, "batch": 8, "learning_rate": 1e-3, "seed": seed}


def one_by_one(folder: Path, options: argparse.Namespace) -> list[float]:
    """Scores of the tuned arm, by single commands."""
    store = str(folder / "runs")
    scored = ["-S", SUITES[0], "-S", SUITES[1], "-L", str(options.limit), "-o", store, "--json"]
    (folder / "null.yaml").write_text("{}\n", encoding="utf-8")
    harness("produce", "null", "-r", str(folder / "null.yaml"), "-o", str(folder / "base"))
    base = json.loads(harness("run", "-a", f"pretrained={folder / 'base'}", *scored))["run_id"]
    scores = []
    for seed in range(options.seeds):
        path = folder / f"{seed}.yaml"
        path.write_text(yaml.safe_dump(recipe(folder, options.steps, seed)), encoding="utf-8")
        made = folder / f"tuned-{seed}"
        harness("produce", "full", "-r", str(path), "-o", str(made))
        run = json.loads(harness("run", "-a", f"pretrained={made}", *scored))
        harness("compare", run["run_id"], base, "--store", store)
        scores += [suite["score"] for suite in run["suites"]]
    return scores


def as_matrix(folder: Path, options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Scores of the tuned arm, and the runner's own seconds per cell, by one command."""
    arms = {"base": {}, "tuned": {"producer": "full", "recipe": recipe(folder, options.steps, "{seed}")}}
    compare = [{"candidate": "tuned", "baseline": "base", "claim": "checkpoint"}]
    matrix = {
        "matrix": "overhead", "seeds": list(range(options.seeds)), "arms": arms, "suites": list(SUITES),
        "limit": options.limit, "compare": compare,
    }  # fmt: skip
    (folder / "matrix.yaml").write_text(yaml.safe_dump(matrix), encoding="utf-8")
    document = json.loads(harness("experiment", str(folder / "matrix.yaml"), "-o", str(folder / "out"), "--json"))
    tuned = [cell for cell in document["cells"] if cell["seed"] is not None]
    scores = [suite["score"] for cell in tuned for run in cell["runs"] for suite in run["suites"].values()]
    return scores, [cell["seconds"]["own"] for cell in document["cells"]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both sides and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = [{"prompt": f"What follows {n}?\nAnswer:", "completion": f" {n + 1}"} for n in range(64)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        times = [spent()]
        single = one_by_one(folder, options)
        times.append(spent())
        joint, own = as_matrix(folder, options)
        times.append(spent())
    if single != joint:
        sys.exit(f"the scores differ: {single} and {joint}")
    for name, before, after in zip(("one by one", "experiment"), times, times[1:], strict=True):
        print(f"{name:<12} {after[0] - before[0]:7.1f} CPU-s {after[1] - before[1]:7.1f} s")
    print(f"runner's own time per cell: median {statistics.median(own):.3f} s, at most {max(own):.3f} s of {len(own)}")


if __name__ == "__main__":
    main()
