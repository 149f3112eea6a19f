"""One process of a training under ``accelerate launch``: ``python -m synth.tuning.worker FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.errors import HarnessError
from synth.tuning.processes import FACTS, JOB, write_failure
from synth.tuning.recipe import TuningRecipe
from synth.tuning.train import Job, is_first, train


def main(folder: Path) -> int:
    """Train what the job file in a folder says; facts or a failure are left beside it, the exit code is returned."""
    told = json.loads((folder / JOB).read_text(encoding="utf-8"))
    try:
        facts = train(Job(told["base"], TuningRecipe.model_validate(told["recipe"]), folder, told["adapter"]))
    except HarnessError as error:
        write_failure(folder, error)
        return error.exit_code
    if is_first():
        (folder / FACTS).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
