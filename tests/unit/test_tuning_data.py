"""Rows for training: the tokens of TRL's own preparation, everything counted, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from trainings import CHAT, MARKED, conversation, rows

from harness.errors import CheckpointError, DataError, HarnessError, MissingInputError
from synth.tuning.data import Cut, find, read
from synth.tuning.encoding import encode
from synth.tuning.loading import load_tokenizer

NANO = str(files("harness") / "assets" / "nano")
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The embedded tokenizer, which has no chat template."""
    return load_tokenizer(NANO)


@pytest.fixture
def chat() -> Callable[[str], Any]:
    """The embedded tokenizer with a chat template."""

    def make(template: str) -> Any:
        tokenizer = load_tokenizer(NANO)
        tokenizer.chat_template = template
        return tokenizer

    return make


@pytest.fixture
def file(tmp_path: Path) -> Write:
    """A file of JSON lines."""

    def make(*content: Any) -> Path:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
        return path

    return make


def learned(tokenizer: Any, row: dict[str, Any], template: str = "chat") -> str:
    """The text of a row that is learned."""
    (one,) = encode([row], tokenizer, template)
    return str(tokenizer.decode([label for label in one.labels if label != -100]))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("template", ["plain", "chat"])
def test_tokens_are_those_of_trl(
    chat: Callable[[str], Any], template: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The reference prepares the same rows to the same tokens and labels; texts that part within a word too."""
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    speaker = chat(CHAT)
    shared = {"prompt": "Who met? An", "completion": "other day."}
    texts = [*rows(6), shared] if template == "plain" else rows(6)
    talks = [
        {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["completion"].strip()}],
        }
        for row in texts
    ]
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(speaker), **shape))
    arguments = SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=None, report_to=[])
    given = Dataset.from_list(texts if template == "plain" else talks)
    reference = SFTTrainer(model=model, args=arguments, train_dataset=given, processing_class=speaker).train_dataset
    ours = list(encode(texts, speaker, template))
    assert [list(one.ids) for one in ours] == reference["input_ids"][:]
    assert [list(one.labels) for one in ours] == reference["labels"][:]
    assert any(one.merged for one in ours) == (template == "plain")


def test_a_conversation_is_learned_answer_by_answer(chat: Callable[[str], Any]) -> None:
    """With marks every answer is learned and nothing else; one answer needs no marks."""
    several = conversation("Hello.", "Good day.", "Who met?", "Ada.")
    assert learned(chat(MARKED), several) == "Good day.<|end|>Ada.<|end|>"
    assert learned(chat(CHAT), conversation("Who met?", "Ada.")) == "Ada.<|end|>"
    assert learned(chat(CHAT), {"prompt": "Who met?", "completion": " Ada."}) == "Ada.<|end|>"


def test_a_template_that_does_not_allow_training_is_refused(chat: Callable[[str], Any], tokenizer: Any) -> None:
    """No template, answers without marks, and answers whose end is never learned: each has its sentence."""
    one, several = conversation("Who?", "Ada."), conversation("Hello.", "Good day.", "Who?", "Ada.")
    outside = MARKED.replace("{{ eos_token }}{% endgeneration %}", "{% endgeneration %}{{ eos_token }}")
    cases = [
        (tokenizer, one, "has no chat template"),
        (chat(CHAT), several, "does not mark answers.*generation"),
        (chat(outside), several, "never learn to stop"),
        (chat(CHAT.replace("{{ eos_token }}", "")), one, "never learn to stop"),
    ]
    for speaker, row, words in cases:
        with pytest.raises(CheckpointError, match=words):
            learned(speaker, row)


def test_everything_left_out_is_counted(tokenizer: Any, file: Write) -> None:
    """Rows read are rows kept, rows without an answer and rows over the limit."""
    empty, long = {"prompt": "Who?", "completion": " \n"}, {"prompt": "Ada met Bo. " * 50, "completion": "Bo"}
    found = read([file(*rows(9), empty, long, long)], tokenizer, "plain", Cut(64)).facts
    counts = {name: found[name] for name in ("read", "rows", "empty", "long", "long_prompts")}
    assert counts == {"read": 12, "rows": 9, "empty": 1, "long": 2, "long_prompts": 2}
    kept = read([file(*rows(9))], tokenizer, "plain", Cut(64))
    assert kept.facts["prompt_tokens"] + kept.facts["completion_tokens"] == sum(map(len, kept.rows["input_ids"][:]))
    assert kept.facts["completion_tokens"] == sum(sum(n != -100 for n in row) for row in kept.rows["labels"][:])


def test_a_smaller_sample_is_part_of_a_larger_one(tokenizer: Any, file: Write) -> None:
    """Samples of one seed nest, keep the order of the file, and differ between seeds."""
    path = file(*rows(20))

    def sample(count: int, seed: int) -> list[list[int]]:
        found: list[list[int]] = read([path], tokenizer, "plain", Cut(64, count, seed)).rows["input_ids"][:]
        return found

    small, large, whole = sample(5, 0), sample(12, 0), sample(20, 0)
    assert [row for row in whole if row in large] == large
    assert [row for row in large if row in small] == small
    assert sample(5, 1) != small


def test_all_kinds_of_files_give_the_same_rows(tokenizer: Any, file: Write, tmp_path: Path) -> None:
    """JSON lines, a JSON list and parquet are read alike, and a corpus folder by its splits."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = file(*rows(5))
    (tmp_path / "rows.json").write_text(json.dumps(rows(5)), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows(5)), tmp_path / "train-0.parquet")
    paths = [[lines], [tmp_path / "rows.json"], find(tmp_path, "train")]
    assert len({read(found, tokenizer, "plain", Cut(64)).facts["digest"] for found in paths}) == 1
    assert find(tmp_path, "dev") == []
    with pytest.raises(MissingInputError, match="nowhere"):
        find(tmp_path / "nowhere", "train")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "Who?"}, "row 2: lacks completion"),
        ({"text": "Who?"}, "row 2: lacks prompt and completion"),
        ({"prompt": "Who?", "completion": None}, "row 2: lacks completion"),
        ([], "row 2: lacks prompt and completion"),
        ({"prompt": "Who?", "completion": 3}, "row 2: has a prompt or completion that is no text"),
        (conversation("Who?"), "row 2: has messages that do not end with an assistant's answer"),
        ({"messages": [{"role": "user"}, {"role": "assistant"}]}, "row 2: has messages"),
    ],
)
def test_a_row_that_lacks_something_is_named(tokenizer: Any, file: Write, row: Any, words: str) -> None:
    """File and row number are in the sentence."""
    path = file(*rows(1), row)
    with pytest.raises(DataError, match=f"rows.jsonl, {words}"):
        read([path], tokenizer, "plain", Cut(64))


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", b"{half"), ("a.jsonl", b"\xff\xfe"), ("a.parquet", b"no")])
def test_a_file_that_cannot_be_read_is_named(tokenizer: Any, tmp_path: Path, name: str, content: bytes) -> None:
    """Broken JSON, another encoding, and what is no parquet."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HarnessError, match=f"{name}: cannot be read"):
        read([tmp_path / name], tokenizer, "plain", Cut(64))


def test_too_few_rows_say_where_the_others_went(tokenizer: Any, file: Write) -> None:
    """The sentence has the counts of what was left out."""
    with pytest.raises(DataError, match="leaves 3 of 3 rows to learn from where 4 are needed"):
        read([file(*rows(3))], tokenizer, "plain", Cut(64, rows=4))
    with pytest.raises(DataError, match=r"leaves 0 of 3 rows.*0 have an empty answer, 3 are longer than 4 tokens"):
        read([file(*rows(3))], tokenizer, "plain", Cut(4))
