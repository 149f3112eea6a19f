"""What integration tests share: refusals in one sentence, folders of cards, checkpoints that are made in seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from harness.cli import main

NANO = Path(str(files("harness") / "assets" / "nano"))
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")

CARD = """\
task: my_topic
custom_dataset: !function harness.data.embedded
dataset_kwargs:
  items: quick/topic.jsonl
test_split: test
num_fewshot: 0
output_type: multiple_choice
doc_to_text: "{{text}}\\nThis text is about"
doc_to_target: label
doc_to_choice: ["sports", "politics", "science", "business", "arts", "travel"]
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
metadata:
  version: "1.0"
  family: tc
  metric: acc
  licence: CC-BY-4.0
  unit: item
  chance: 0.1667
  source: a test
  matching: the likeliest choice
"""

SUITE = """\
suite: my_suite
title: One task of my own
version: "1.0"
tasks:
  - my_topic
"""

Refused = Callable[..., str]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command line that must end with a code and one sentence that has the given words; returns the sentence."""

    def run(code: int, arguments: str | list[str], *words: str) -> str:
        with pytest.raises(SystemExit) as exit_:
            main(arguments.split() if isinstance(arguments, str) else arguments)
        told = capsys.readouterr()
        lines = told.err.strip().splitlines()
        assert exit_.value.code == code, told.err
        assert told.out == ""
        assert "Traceback" not in told.err
        assert [line for line in lines if line.startswith("harness: ")] == lines[-1:], told.err
        assert not [word for word in words if word not in lines[-1]], lines[-1]
        assert lines[-1].endswith((".", "?")), lines[-1]
        return lines[-1]

    return run


@pytest.fixture
def cards(tmp_path: Path) -> Callable[..., Path]:
    """A folder with a card and a suite of the user's own, with texts of either replaced."""

    def make(*changes: tuple[str, str]) -> Path:
        folder = tmp_path / "cards"
        folder.mkdir(exist_ok=True)
        for name, text in (("my_topic.yaml", CARD), ("my_suite.yaml", SUITE)):
            for old, new in changes:
                text = text.replace(old, new)
            (folder / name).write_text(text, encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A random two-layer model with nano's tokenizer; keywords change its configuration, a callable its weights."""

    def make(name: str, change: Callable[[Any], None] | None = None, **settings: Any) -> Path:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        folder = tmp_path_factory.mktemp("checkpoints") / name
        shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        ids = {"vocab_size": 6144, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**{**shape, **ids, "max_position_embeddings": 2048, **settings}))
        if change is not None:
            with torch.no_grad():
                change(model)
        model.save_pretrained(folder)
        for file in TOKENIZER:
            shutil.copy(NANO / file, folder / file)
        return folder

    return make


@pytest.fixture(scope="session")
def checkpoint(tiny: Callable[..., Path]) -> Path:
    """A sound tiny checkpoint; tests that break one copy it."""
    return tiny("sound")
