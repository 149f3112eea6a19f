"""One process of a training under ``accelerate launch``: ``python -m synth.tuning.worker FOLDER``."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from harness.errors import HarnessError
from synth.tuning.processes import JOB, leave_counted, leave_failure
from synth.tuning.recipe import TuningRecipe
from synth.tuning.train import Job, train


def main(folder: Path) -> int:
    """Train what the job file in a folder says, and leave the result or a failure beside it; the exit code."""
    told = json.loads((folder / JOB).read_text(encoding="utf-8"))
    try:
        job = Job(told["base"], TuningRecipe.model_validate(told["recipe"]), folder, told["adapter"])
        train(job, partial(leave_counted, folder))
    except HarnessError as error:
        leave_failure(folder, error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
