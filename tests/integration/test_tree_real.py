"""The model ``tree`` against stock on real questions of stock lm-eval tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from families import NANO
from lm_eval.models.huggingface import HFLM

from harness.catalog import load_catalog
from harness.engines.items import Item, Prompting, build_items
from harness.engines.models import LoadedModel
from harness.engines.tasks import TaskOptions, build_tasks
from harness.engines.tree.model import TreeLM

pytestmark = [pytest.mark.slow, pytest.mark.realdata]


@pytest.fixture(scope="module")
def stock() -> HFLM:
    """Stock lm-eval on the embedded checkpoint."""
    return HFLM(pretrained=str(NANO), device="cpu", batch_size=4)


def items(task: str, shots: int, mirror: Path, lm: Any) -> list[Item]:
    """The first questions of a stock task, as a run asks them."""
    catalog = load_catalog(())
    options = TaskOptions(num_fewshot=shots)
    built = build_tasks([catalog.task(task)], catalog.folders, mirror, options)[0]
    return build_items(built, range(min(12, len(built.docs))), LoadedModel(lm=lm, batch=4), Prompting())


@pytest.mark.parametrize(
    ("task", "shots"), [("mmlu_anatomy", 5), ("mmlu_professional_law", 5), ("hellaswag", 0), ("piqa", 0)]
)
def test_real_questions_are_answered_as_stock_answers_them(stock: HFLM, mirror: Path, task: str, shots: int) -> None:
    """Equal choices, equal greedy flags, and log-likelihoods within 1e-4."""
    asked = [instance for item in items(task, shots, mirror, stock) for instance in item.instances]
    tree = TreeLM(pretrained=str(NANO), device="cpu")
    ours, wanted = (lm.loglikelihood(asked, disable_tqdm=True) for lm in (tree, stock))
    assert tree.stock_because is None
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in wanted]
    assert max(abs(a - b) for (a, _), (b, _) in zip(ours, wanted, strict=True)) <= 1e-4
    choices = len(asked) // 12
    for first in range(0, len(asked), choices):
        values = [[lm[k][0] for k in range(first, first + choices)] for lm in (ours, wanted)]
        assert values[0].index(max(values[0])) == values[1].index(max(values[1]))
