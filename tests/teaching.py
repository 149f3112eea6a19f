"""A prompt, requests and settings for tests of teachers, in processes of their own too."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from synth import prompts
from synth.prompts import Prompt, prompt
from synth.recipe import TeacherSettings
from synth.teachers import Request, dialogue
from synth.teachers.endpoint import Endpoint
from synth.teachers.faults import Patience

PERU = json.dumps({"country": "Peru", "capital": "Lima"})
QUICK = Patience(first_s=0.01, longest_s=0.02)


class Capital(BaseModel):
    """The answer that the test prompt asks for."""

    model_config = ConfigDict(extra="forbid")
    country: str
    capital: str


PROMPT = Prompt(
    id="capital", version=1, answer="teaching:Capital", system="You know capitals.",
    user="Capital of {{ country }}? Write JSON: {{ answer_schema }}",
)  # fmt: skip


def change(patch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Edit the test prompt."""
    patch.setattr(sys.modules[__name__], "PROMPT", Prompt(**PROMPT.model_dump() | changes))


def known(purpose: str, folder: Path = prompts.FOLDER) -> Prompt:
    """The test prompt, and those of the package."""
    return PROMPT if purpose == PROMPT.id else prompt(purpose, folder)


def teach(patch: pytest.MonkeyPatch) -> None:
    """Make the test prompt known to dialogues."""
    patch.setattr(dialogue, "prompt", known)


def requests(count: int = 1, sample: int = 0) -> list[Request]:
    """That many different requests."""
    return [Request("capital", {"country": f"land {number}"}, sample) for number in range(count)]


def settings(url: str, **changes: Any) -> TeacherSettings:
    """Settings of an endpoint."""
    facts: dict[str, Any] = {"kind": "endpoint", "model": "m", "url": url, "key_variable": "TEACHER_TEST_KEY"}
    return TeacherSettings(**facts | {"retries": 3} | changes)


def endpoint(url: str, folder: Path, say: Callable[[str], None] = lambda line: None, **changes: Any) -> Endpoint:
    """An endpoint whose patience is short."""
    return Endpoint(settings(url, **changes), folder / "teacher.sqlite", say, QUICK)
