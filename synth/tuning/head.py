"""The output layer on answers alone.

TRL's fused head (trl.trainer.utils, ``add_fused_lm_head``) drops the positions without a label where it runs on Triton.
Elsewhere it computes the logits of every position, to spare compilers new shapes, and masks the loss of the prompts
afterwards. On a CPU nothing is compiled, and prompts are most of an instruction corpus: without them the loss is the
same and a step of the embedded checkpoint takes less than half of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TEST = "_use_triton"
"""TRL's test for a device on which positions are dropped; the head looks it up at each call."""


@contextmanager
def answers_only() -> Iterator[None]:
    """Let TRL's head drop unlabelled positions on a CPU too, as long as the context lasts."""
    from trl.trainer import utils

    ours: Any = utils
    original = getattr(ours, _TEST, None)
    if original is None:  # another version of TRL: slower, and as right
        yield
        return
    setattr(ours, _TEST, lambda device: device.type == "cpu" or original(device))
    try:
        yield
    finally:
        setattr(ours, _TEST, original)
