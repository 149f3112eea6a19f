"""What ``harness produce`` refuses to train on: one sentence, the right code, and the folder as it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from producing import arguments, made
from trainings import CHAT, conversation, rows, write

Refused = Callable[..., str]
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it

SEVERAL = conversation("Hello.", "Good day.", "Who met?", "Ada.")


@pytest.fixture
def base(checkpoint: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the checkpoint whose tokenizer has a chat template."""

    def make(template: str) -> Path:
        folder = shutil.copytree(checkpoint, tmp_path / "base")
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
        return folder

    return make


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([*rows(2), {"prompt": "Who met?"}], ("rows.jsonl, row 3", "lacks completion")),
        ([{"instruction": "Who met?", "output": "Ada"}], ("row 1", "lacks prompt and completion")),
        ([{"prompt": "Who met?", "completion": 3}], ("row 1", "is no text")),
        ([conversation("Who met?")], ("row 1", "do not end with an assistant's answer")),
        ([{"prompt": "Who met?", "completion": " \n"}] * 3, ("leaves 0 of 3 rows", "3 have an empty answer")),
        ([], ("leaves 0 of 0 rows",)),
    ],
    ids=["a field is missing", "other fields", "no text", "no answer", "empty completions", "no rows"],
)
def test_rows_that_cannot_be_learned_are_refused(
    checkpoint: Path, tmp_path: Path, refused: Refused, content: Sequence[Any], words: Sequence[str]
) -> None:
    """Before anything is trained or written."""
    refused(65, arguments("lora", checkpoint, write(tmp_path, content), tmp_path / "out"), *words)
    assert not (tmp_path / "out").exists()


def test_a_template_without_generation_marks_is_refused(
    base: Callable[[str], Path], tmp_path: Path, refused: Refused
) -> None:
    """Several answers in a row need marks, as the sentence says; with one answer a row the same folder serves."""
    marked = base(CHAT)
    words = ("does not mark answers", "{% generation %}")
    refused(65, arguments("lora", marked, write(tmp_path, [SEVERAL]), tmp_path / "out"), *words)
    talk = [conversation("Who met?", "Ada.")] * 8
    assert made("lora", marked, write(tmp_path, talk, steps=2), tmp_path / "out")["status"] == "complete"


def test_a_template_that_is_not_there_is_refused(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """Messages, and ``template: chat``, need one."""
    told = "has no chat template"
    refused(65, arguments("lora", checkpoint, write(tmp_path, [SEVERAL]), tmp_path / "out"), told, "template: plain")
    refused(65, arguments("full", checkpoint, write(tmp_path, template="chat"), tmp_path / "out"), told)


@pytest.mark.parametrize("producer", ["lora", "full"])
def test_a_base_without_tokenizer_is_not_trained(
    checkpoint: Path, tmp_path: Path, refused: Refused, producer: str
) -> None:
    """Nothing is written."""
    bare = shutil.copytree(checkpoint, tmp_path / "bare", ignore=shutil.ignore_patterns("tokenizer*"))
    refused(65, arguments(producer, bare, write(tmp_path), tmp_path / "out"), "has no tokenizer")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["Mamba", "Bloom"])
def test_packing_is_refused_where_a_model_does_not_part_rows(
    checkpoint: Path, tmp_path: Path, refused: Refused, kind: str
) -> None:
    """A state that goes on from row to row, and an attention that knows no positions: both are measured."""
    import transformers

    shape = {"vocab_size": 6144, "hidden_size": 32}
    config = getattr(transformers, f"{kind}Config")(**shape, **({"n_head": 2} if kind == "Bloom" else {}))
    config.num_hidden_layers = 2
    folder = tmp_path / "model"
    getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    recipe = write(tmp_path, packing=True)
    refused(65, arguments("full", folder, recipe, tmp_path / "out"), "Packing", kind.lower(), "use packing: false")
