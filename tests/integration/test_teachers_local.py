"""The local teacher with the embedded checkpoint: it writes nonsense, and that is data, counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import teaching

from harness.errors import CheckpointError, MissingInputError
from synth.teachers import Outcome, Teacher, generation, teacher_of
from synth.teachers.dialogue import Call
from synth.teachers.replies import reply_of


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.teach(monkeypatch)


@pytest.fixture
def nano(repo: Path) -> Path:
    """The embedded checkpoint."""
    return repo / "harness" / "assets" / "nano"


def teacher(model: Path, folder: Path, said: list[str] | None = None, **changes: Any) -> Teacher:
    """A local teacher of few, short answers."""
    facts = {"kind": "local", "model": str(model), "max_tokens": 24, "concurrency": 3, "reasks": 1, "structured": False}
    settings = teaching.settings("", **facts | changes)
    return teacher_of(settings, folder / "teacher.sqlite", (said if said is not None else []).append)


def test_nonsense_is_counted(nano: Path, tmp_path: Path) -> None:
    """Every request has an answer with a reason, in order; nothing of it is asked twice by a second run."""
    asked = teaching.requests(4)
    first = teacher(nano, tmp_path)
    answers = list(first.ask(asked))
    assert [answer.request for answer in answers] == asked
    assert {answer.outcome for answer in answers} == {Outcome.INVALID}
    assert all(answer.reason.startswith("not usable after 2 answers: ") for answer in answers)
    usage = first.usage()
    assert (usage.sent, usage.reasks, usage.outcomes) == (8, 4, {Outcome.INVALID: 4})
    assert 0 < usage.completion_tokens <= 8 * 24
    again = teacher(nano, tmp_path)
    assert list(again.ask(asked)) == answers
    assert (again.usage().sent, again.usage().cached) == (0, 8)


def test_a_greedy_text_does_not_depend_on_its_batch(nano: Path) -> None:
    """Padding on the left changes nothing: alone or in a batch, the same prompt gives the same text."""
    asked = teaching.settings("", kind="local", temperature=0, max_tokens=24)
    texts = ["A film by", "The city of Lima lies in a valley near the coast, and its people"]
    bodies = [{"model": "nano", "messages": [{"role": "user", "content": text}]} for text in texts]
    calls = [Call(str(number), teaching.PROMPT, body) for number, body in enumerate(bodies)]
    generator = generation.Generator(nano, asked)
    together = generator.generate(calls)
    assert together == [generator.generate([call])[0] for call in calls]
    assert len({reply_of(raw or "").text for raw in together}) == 2


def test_a_prompt_past_the_context_is_a_failed_answer(nano: Path, tmp_path: Path) -> None:
    """The others of its batch are answered."""
    long = teaching.Request("capital", {"country": "very " * 5000})
    answers = list(teacher(nano, tmp_path, reasks=0).ask([*teaching.requests(1), long]))
    assert [answer.outcome for answer in answers] == [Outcome.INVALID, Outcome.FAILED]
    assert answers[1].reason.startswith("the prompt has more than 4072 tokens")


def test_other_weights_are_another_teacher(nano: Path, tmp_path: Path) -> None:
    """The cache does not take answers of a checkpoint for those of another under the same name."""
    copy = tmp_path / "nano"
    shutil.copytree(nano, copy)
    before = generation.model_digest(copy)
    assert before == generation.model_digest(nano)
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert generation.model_digest(copy) != before


def test_the_lack_of_a_grammar_is_said_once(nano: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where xgrammar is not installed, one line says what that means."""
    monkeypatch.setattr(generation, "find_spec", lambda name: None)
    said: list[str] = []
    teacher(nano, tmp_path, said, structured=True)
    assert len(said) == 1
    assert "xgrammar is not installed" in said[0]


def test_a_grammar_makes_even_nano_valid(nano: Path, tmp_path: Path) -> None:
    """With xgrammar every answer that ends follows the schema."""
    answers = list(teacher(nano, tmp_path, structured=True, max_tokens=200).ask(teaching.requests(4)))
    assert {answer.outcome for answer in answers} == {Outcome.STRICT}


def test_a_chat_template_is_used(nano: Path, tmp_path: Path) -> None:
    """A model with a template gets its prompt in it; one that knows no system role gets that text with the question."""
    copy = tmp_path / "nano"
    shutil.copytree(nano, copy)
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))
    messages = [{"role": "system", "content": "You know."}, {"role": "user", "content": "Well?"}]
    asked = teaching.settings("", kind="local")
    assert generation.Generator(copy, asked)._text(messages) == "<user>You know.\n\nWell?"
    assert generation.Generator(nano, asked)._text(messages) == "You know.\n\nWell?\n\n"


def test_a_folder_without_a_model_is_refused(nano: Path, tmp_path: Path) -> None:
    """Nothing there, or weights that cannot be read, are said before any answer."""
    with pytest.raises(MissingInputError, match=r"is no folder with a config\.json"):
        teacher(tmp_path, tmp_path)
    copy = tmp_path / "nano"
    shutil.copytree(nano, copy)
    (copy / "model.safetensors").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        list(teacher(copy, tmp_path).ask(teaching.requests(1)))
