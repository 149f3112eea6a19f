"""The output layer on answers alone gives the loss and the gradients of TRL's own way."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from synth.tuning.head import answers_only

torch = pytest.importorskip("torch")


def test_loss_and_gradients_are_those_of_every_position() -> None:
    """Dropping the positions without a label changes neither the loss nor any gradient; the model's own loss agrees."""
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=50, **sizes))
    ids = torch.randint(0, 50, (3, 12))
    labels = ids.masked_fill(torch.arange(12) < torch.tensor([[9], [5], [11]]), -100)
    own = model(input_ids=ids, labels=labels).loss.item()
    add_fused_lm_head(model)
    found = []
    for context in (nullcontext(), answers_only()):
        model.zero_grad()
        with context:
            loss = model(input_ids=ids, labels=labels, fused_lm_head=True).loss
            loss.backward()
        found.append((loss.item(), [values.grad.clone() for values in model.parameters()]))
    (every, gradients), (answers, ours) = found
    assert answers == pytest.approx(every, rel=1e-6) == pytest.approx(own, rel=1e-6)
    for left, right in zip(gradients, ours, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-7)


def test_trl_is_as_before_afterwards() -> None:
    """The change ends with the context."""
    from trl.trainer import utils

    before = utils._use_triton
    with answers_only():
        assert utils._use_triton is not before
    assert utils._use_triton is before
