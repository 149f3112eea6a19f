"""The memory plan of a call."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from harness.engines.tree.plan import CPU_ROWS, parse_bytes, plan_memory
from harness.errors import UnavailableError, UsageError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> AutoModelForCausalLM:
    """A model of which only shapes matter."""
    config = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=99
    )
    return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize(
    ("text", "size"),
    [(None, None), (1000, 1000), ("1000", 1000), ("4GiB", 4 << 30), ("1.5 GB", 1_500_000_000), ("64mib", 64 << 20)],
)
def test_amounts_of_memory_are_read(text: str | int | None, size: int | None) -> None:
    """Bytes, and decimal and binary units in any case."""
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["much", "-1", "0", "4TiB", "GiB", ""])
def test_other_words_are_refused(text: str) -> None:
    """What is no amount of memory is a usage error that names it."""
    with pytest.raises(UsageError, match="max_memory="):
        parse_bytes(text)


def test_the_path_and_the_rows_stay_within_the_limit(model: AutoModelForCausalLM) -> None:
    """Less memory gives fewer rows; ample memory no more than keep the processor busy."""
    ample, scarce = plan_memory(model, CPU, 500, 1 << 30), plan_memory(model, CPU, 500, 1 << 20)
    assert ample.rows == CPU_ROWS
    assert scarce.rows < CPU_ROWS
    assert scarce.path_bytes + scarce.rows * scarce.row_bytes <= scarce.limit


def test_too_little_memory_is_said_before_anything_runs(model: AutoModelForCausalLM) -> None:
    """Where not even the smallest pack fits, the message has the bytes that are needed."""
    with pytest.raises(UnavailableError, match="bytes beside the weights, and 1000 may be used"):
        plan_memory(model, CPU, 500, 1000)
