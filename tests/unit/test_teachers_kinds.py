"""Which teacher a recipe gives, what it must say, and the rulebook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import teaching

from harness.errors import DataError, MissingInputError
from synth.recipe import TeacherSettings
from synth.teachers import Answer, Outcome, Request, Teacher, Usage, rulebook, teacher_of


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.teach(monkeypatch)
    monkeypatch.setattr(rulebook, "prompt", teaching.known)


def test_each_kind_gives_its_teacher(tmp_path: Path, repo: Path) -> None:
    """A recipe names the kind; every kind speaks the protocol and says its name."""
    nano = str(repo / "harness" / "assets" / "nano")
    asked = [
        TeacherSettings(),
        TeacherSettings(kind="endpoint", model="m", url="http://localhost:1/v1"),
        TeacherSettings(kind="batch", model="m"),
        TeacherSettings(kind="local", model=nano),
    ]
    made: list[Teacher] = [teacher_of(settings, tmp_path / "c.sqlite", lambda line: None) for settings in asked]
    assert [teacher.name for teacher in made] == ["rulebook", "m", "m", "nano"]
    assert [teacher.usage() for teacher in made] == [Usage()] * 4
    assert [list(teacher.ask([])) for teacher in made[:3]] == [[], [], []]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "endpoint", "model": "m"}, "a teacher of kind endpoint without url; give teacher.url"),
        ({"kind": "endpoint", "url": "http://localhost"}, "without model"),
        ({"kind": "batch"}, "without model"),
        ({"kind": "local"}, "without model"),
        (
            {"kind": "endpoint", "model": "m", "url": "http://me:secret@host/v1"},
            "holds more than an address; put a key into",
        ),
        ({"kind": "endpoint", "model": "m", "url": "http://host/v1?api-key=secret"}, "holds more than an address"),
        (
            {"kind": "endpoint", "model": "m", "url": "localhost:8000/v1"},
            "teacher.url localhost:8000/v1: is no base URL",
        ),
        ({"kind": "endpoint", "model": "m", "url": "http:///v1"}, "is no base URL"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, str], message: str, tmp_path: Path) -> None:
    """What is missing, or a secret where it would be written down, is said before anything is asked."""
    with pytest.raises(DataError, match=message) as caught:
        teacher_of(TeacherSettings.model_validate(settings), tmp_path / "c.sqlite")
    assert "secret@" not in str(caught.value)
    assert not (tmp_path / "c.sqlite").exists()


def test_a_local_model_must_be_there(tmp_path: Path) -> None:
    """A hub id is no folder."""
    with pytest.raises(MissingInputError, match=r"no folder with a config\.json"):
        teacher_of(TeacherSettings(kind="local", model="org/name"), tmp_path / "c.sqlite")


def ask(answerer: rulebook.Answerer) -> Answer:
    """The answer of a rulebook."""
    (answer,) = rulebook.Rulebook(answerer).ask(teaching.requests(1))
    return answer


def test_the_rulebook_answers_or_says_nothing() -> None:
    """An entry is a valid answer; no entry is an answer with a reason; both are counted."""
    found = ask(lambda purpose, variables: {"country": str(variables["country"]), "capital": "?"})
    assert (found.outcome, found.content) == (Outcome.STRICT, {"country": "land 0", "capital": "?"})
    silent = ask(lambda purpose, variables: None)
    assert (silent.outcome, silent.content, silent.teacher) == (Outcome.SILENT, None, "rulebook")
    assert silent.reason == "the rulebook says nothing on capital here"


def test_a_wrong_rulebook_is_an_error() -> None:
    """An entry in another form than the prompt asks for is a fault of the library, not an answer."""
    with pytest.raises(DataError, match="Rulebook on capital: answers in a wrong form"):
        ask(lambda purpose, variables: {"country": "Peru"})


def test_the_library_does_not_judge(tmp_path: Path) -> None:
    """What the shipped rulebook has no entry for is silence."""
    teacher = teacher_of(TeacherSettings(), tmp_path / "c.sqlite")
    (answer,) = teacher.ask([Request("judge", {"prompt": "Name the river.", "completion": "The Ob."})])
    assert answer.outcome is Outcome.SILENT
    assert teacher.usage().outcomes == {Outcome.SILENT: 1}


def test_teachers_are_light_until_they_are_asked() -> None:
    """Making settings and requests imports neither openai nor torch."""
    code = (
        "import sys, synth.teachers, synth.teachers.endpoint, synth.teachers.batch, synth.teachers.local\n"
        "assert not {'openai', 'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
