"""Fixtures and environment of all tests: no network, reproducible Hypothesis, the real data where it is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

REPO = Path(__file__).resolve().parent.parent

# Set before any test module imports the Hugging Face libraries, which read these once.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; spinning threads would fight for the cores

# A job that a shell starts in the background ignores Ctrl-C, and so do its children; the tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("house")


@pytest.fixture(scope="session")
def repo() -> Path:
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The mirror of real datasets; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("HARNESS_MIRROR") or REPO.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no mirror of real datasets: set HARNESS_MIRROR or put one at ../shared/data ({folder} is absent)")
    return folder
