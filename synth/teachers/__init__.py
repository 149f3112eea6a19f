"""Teachers draft guidelines and rules: an OpenAI-compatible endpoint, the Batch API, a local model, or the rulebook.

teacher = teacher_of(recipe.teacher, OUT / "teacher.sqlite")
for answer in teacher.ask(Request("judge", {...}) for ...):
    ...  # answer.content is valid, or None with a reason
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import DataError
from synth.recipe import TeacherSettings
from synth.teachers.nouns import Answer, Outcome, Request, Teacher, Usage

__all__ = ["Answer", "Outcome", "Request", "Teacher", "Usage", "spent", "teacher_of"]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def teacher_of(settings: TeacherSettings, cache: Path, say: Callable[[str], None] = _say) -> Teacher:
    """The teacher that a recipe asks for.

    Args:
        settings: Of the recipe.
        cache: SQLite file of the requests; made where it is not there. The rulebook needs none.
        say: Hears what a user should know once, such as a server without structured output.

    Raises:
        DataError: Settings that the kind needs are missing, or the cache is corrupt.
        MissingInputError: The local model is not there.
        StoreError: The cache cannot be written.
    """
    _check(settings)
    if settings.kind == "endpoint":
        from synth.teachers.endpoint import Endpoint

        return Endpoint(settings, cache, say)
    if settings.kind == "batch":
        from synth.teachers.batch import Batch

        return Batch(settings, cache)
    if settings.kind == "local":
        from synth.teachers.local import Local

        return Local(settings, cache, say)
    from synth import rulebook
    from synth.teachers.rulebook import Rulebook

    return Rulebook(rulebook.answer)


def spent(cache: Path, price: tuple[float, float] | None = None) -> Usage:
    """What all responses in a cache took, whichever process asked for them; nothing where there is no file.

    Raises:
        DataError: The cache is corrupt.
    """
    from synth.teachers.cache import Cache

    return Cache(cache).usage(price) if cache.is_file() else Usage()


def _check(settings: TeacherSettings) -> None:
    needed = {"endpoint": ("model", "url"), "batch": ("model",), "local": ("model",), "rulebook": ()}[settings.kind]
    for name in needed:
        if not getattr(settings, name):
            raise DataError(
                "The recipe", f"has a teacher of kind {settings.kind} without {name}", f"give teacher.{name}"
            )
    if not settings.url:
        return
    url = urlsplit(settings.url)
    if url.scheme not in ("http", "https") or not url.netloc:
        raise DataError(f"teacher.url {settings.url}", "is no base URL", "write one like http://localhost:8000/v1")
    if url.username or url.password or url.query:
        raise DataError(
            "teacher.url", "holds more than an address", f"put a key into the variable {settings.key_variable}"
        )
