"""The self-check finds a scorer that is wrong, says by how much, and leaves everything to stock."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from families import SUPPORTED, Family, instances, prompts, questions, save
from lm_eval.models.huggingface import HFLM

from harness.engines.tree import attention, selfcheck, slots
from harness.engines.tree.forward import Rule
from harness.engines.tree.model import TreeLM

QUESTIONS = questions()
CPU = {"device": "cpu", "batch_size": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint with random weights."""
    return save(SUPPORTED[0], tmp_path_factory.mktemp("selfcheck") / SUPPORTED[0].name)


def scores(lm: Any) -> list[tuple[float, bool]]:
    """Answers to the questions."""
    return list(lm.loglikelihood(instances("loglikelihood", QUESTIONS), disable_tqdm=True))


def texts(lm: Any) -> list[str]:
    """Texts of the prompts."""
    asked = [(prompt, {"until": ["\n"], "max_gen_toks": 12}) for prompt in prompts()]
    return list(lm.generate_until(instances("generate_until", asked), disable_tqdm=True))


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the harness has warned of."""
    return [record.message for record in caplog.records if record.name.startswith("harness")]


@pytest.fixture
def askew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention whose scale is 2 % off, as if a model's code did something of its own."""
    for kind in (attention.PackAttention, slots.Slots):
        attend = kind.attend

        def off(self: Any, layer: int, queries: Any, pair: Any, rule: Rule, attend: Any = attend) -> Any:
            return attend(self, layer, queries, pair, replace(rule, scale=1.02 * rule.scale))

        monkeypatch.setattr(kind, "attend", off)


def test_a_sound_scorer_is_told_what_it_cost(folder: Path) -> None:
    """Both checks agree within rounding, at a cost within bounds, and once only."""
    tree = TreeLM(pretrained=str(folder), **CPU)
    scores(tree)
    first = tree.check
    assert first is not None
    assert first.reason is None
    assert 2 <= first.requests <= 4
    assert 0 < first.tokens <= 512
    assert first.largest <= 1e-4
    texts(tree)
    scores(tree)
    assert tree.check is first
    assert tree.text_check is not None
    assert tree.text_check.reason is None


@pytest.mark.usefixtures("askew")
def test_wrong_scores_are_found_and_left_to_stock(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One line says by how much; all answers are stock's own, those of later calls and other kinds too."""
    tree, stock = TreeLM(pretrained=str(folder), **CPU), HFLM(pretrained=str(folder), **CPU)
    with caplog.at_level(logging.WARNING, logger="harness"):
        assert scores(tree) == scores(stock)
    lines = told(caplog)
    assert len(lines) == 1
    assert "a log-likelihood of" in lines[0]
    assert "where stock has" in lines[0]
    assert tree.check is not None
    assert tree.check.largest > 1e-3
    assert texts(tree) == texts(stock)


@pytest.mark.usefixtures("askew")
def test_wrong_texts_are_found_and_left_to_stock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that stock would not choose ends our generation before it has begun."""
    monkeypatch.setattr(selfcheck, "_NEW_TOKENS", 40)  # random weights need some tokens to show 2 %
    tree, stock = TreeLM(pretrained=str(folder), **CPU), HFLM(pretrained=str(folder), **CPU)
    asked = [(prompt, {"until": [], "max_gen_toks": 40}) for prompt in prompts()]
    ours = tree.generate_until(instances("generate_until", asked), disable_tqdm=True)
    assert ours == stock.generate_until(instances("generate_until", asked), disable_tqdm=True)
    assert tree.text_check is not None
    assert "below its likeliest" in str(tree.text_check.reason)


def test_where_stock_has_no_memory_the_tree_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that stock cannot forward is not compared, and no reason against the tree."""

    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(selfcheck, "_plainly", full)
    tree = TreeLM(pretrained=str(folder), **CPU)
    scores(tree)
    texts(tree)
    assert tree.stock_because is None


@pytest.mark.parametrize("family", SUPPORTED, ids=lambda family: family.name)
def test_half_precision_is_no_reason(family: Family, tmp_path: Path) -> None:
    """The tolerance for bfloat16 lets every supported architecture pass its self-check."""
    tree = TreeLM(pretrained=str(save(family, tmp_path / family.name)), dtype="bfloat16", **CPU)
    scores(tree)
    texts(tree)
    assert tree.stock_because is None
