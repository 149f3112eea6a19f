"""The tiled output head against the plain formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.engines.tree import head as head_module
from harness.engines.tree.head import Head, score_rows


def linear(vocabulary: int = 700, bias: bool = False) -> torch.nn.Linear:
    """An output layer with random weights."""
    torch.manual_seed(0)
    return torch.nn.Linear(16, vocabulary, bias=bias)


def made(layer: torch.nn.Linear, **settings: Any) -> Head:
    """A head that reads a layer tile by tile."""
    plain = {"scale": 1.0, "softcap": None} | settings
    bias = None if layer.bias is None else layer.bias.detach()
    return Head(module=layer, weight=layer.weight.detach(), bias=bias, **plain)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles so small that every test has several, the last one narrower."""
    monkeypatch.setattr(head_module, "TILE", 128)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("scale", "softcap"), [(1.0, None), (0.25, None), (1.0, 0.5), (3.0, 2.0)])
def test_tiles_give_the_log_softmax(bias: bool, scale: float, softcap: float | None) -> None:
    """Log-probabilities and greedy flags are those of the whole row, with bias, scale and soft cap."""
    layer = linear(bias=bias)
    hidden, rows = torch.randn(9, 16), torch.tensor([0, 0, 3, 8, 8, 5])
    logits = layer(hidden).detach() * scale
    logits = torch.tanh(logits / softcap) * softcap if softcap else logits
    tokens = torch.tensor([0, 699, 127, 128, int(logits[8].argmax()), 300])
    scores = score_rows(made(layer, scale=scale, softcap=softcap), hidden, rows, tokens)
    torch.testing.assert_close(scores.logprobs, torch.log_softmax(logits, -1)[rows, tokens], atol=1e-5, rtol=0)
    assert scores.greedy.tolist() == (logits.argmax(-1)[rows] == tokens).tolist()


def test_of_equal_logits_the_first_is_greedy() -> None:
    """Ties within a tile and across tiles go to the lower token, as torch's argmax gives them to stock."""
    layer = linear()
    with torch.no_grad():
        layer.weight[[5, 6, 300]] = 10 * torch.ones(16)
    scores = score_rows(made(layer), torch.ones(1, 16), torch.zeros(3, dtype=torch.int64), torch.tensor([300, 5, 6]))
    assert scores.greedy.tolist() == [False, True, False]


def test_a_nan_stays_a_nan() -> None:
    """A NaN anywhere in a row's logits makes its log-probability NaN, for the caller to refuse."""
    layer = linear()
    with torch.no_grad():
        layer.weight[650, 0] = float("nan")
    scores = score_rows(made(layer), torch.randn(1, 16), torch.tensor([0]), torch.tensor([3]))
    assert bool(scores.logprobs.isnan().all())


def test_a_layer_that_is_no_plain_one_is_called_whole() -> None:
    """Without a matrix to cut, the module makes the logits."""
    layer = linear()
    hidden, rows, tokens = torch.randn(4, 16), torch.arange(4), torch.tensor([1, 2, 3, 699])
    whole = score_rows(Head(layer, None, None, 1.0, None), hidden, rows, tokens)
    torch.testing.assert_close(whole.logprobs, score_rows(made(layer), hidden, rows, tokens).logprobs)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    """The logits round as the model's own do, their log-sum-exp does not."""
    layer = linear().to(torch.bfloat16)
    hidden, rows, tokens = torch.randn(4, 16).bfloat16(), torch.arange(4), torch.tensor([1, 2, 3, 699])
    scores = score_rows(made(layer), hidden, rows, tokens)
    wanted = torch.log_softmax(layer(hidden).detach().float(), -1)[rows, tokens]
    assert scores.logprobs.dtype == torch.float32
    torch.testing.assert_close(scores.logprobs, wanted, atol=0.02, rtol=0)
