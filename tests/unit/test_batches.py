"""How rows are cut into batches: by what they share for the tree, by length for stock models."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.batches import new_bytes, plan_batches
from harness.engines.items import Item
from harness.engines.models import LoadedModel
from harness.engines.shared import shared

short = st.text(alphabet="abé ", max_size=12)


def item(doc_id: int, prompt: str, *choices: str) -> Item:
    """An item of one request per choice."""
    requests: list[Any] = [SimpleNamespace(args=(prompt, choice)) for choice in choices or ("",)]
    return Item(doc_id, {}, requests, "", "", "", None)


def tree(batch: int = 64, planned: bool = True) -> LoadedModel:
    """A model that shares prefixes."""
    return LoadedModel(lm=None, batch=batch, planned=planned, shares=True)


def ids(batches: list[list[Item]]) -> list[list[int]]:
    """Row numbers."""
    return [[one.doc_id for one in batch] for batch in batches]


def test_rows_that_share_a_beginning_are_neighbours() -> None:
    """Two subjects whose rows are mixed in the data are asked one after the other."""
    rows = [item(n, f"{'history' if n % 2 else 'anatomy'}: question {n}") for n in range(6)]
    assert ids(plan_batches(rows, tree())) == [[0, 2, 4, 1, 3, 5]]


def test_what_is_shared_does_not_fill_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget counts new text: a long preamble counts once, and a row is never split."""
    monkeypatch.setattr("harness.engines.batches.NEW_BYTES", 1200)
    alike = [item(n, "x" * 1000 + f" {n:02d}") for n in range(20)]
    assert ids(plan_batches(alike, tree())) == [list(range(20))]
    unlike = [item(n, chr(97 + n) * 700) for n in range(3)]
    assert ids(plan_batches(unlike, tree())) == [[0], [1], [2]]
    assert ids(plan_batches([item(0, "y" * 5000)], tree())) == [[0]]


def test_a_number_of_documents_is_kept_to() -> None:
    """--batch_size 4 asks four documents at once, whatever they share."""
    rows = [item(n, "the same") for n in range(10)]
    assert [len(batch) for batch in plan_batches(rows, tree(4, planned=False))] == [4, 4, 2]


@given(st.lists(short, max_size=20), st.integers(1, 60))
def test_every_row_is_in_one_batch_and_order_does_not_matter(prompts: list[str], budget: int) -> None:
    """Batches partition the rows and depend on the rows alone, not on their order."""
    rows = [item(number, prompt, " yes", " no") for number, prompt in enumerate(prompts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.engines.batches.NEW_BYTES", budget)
        batches = plan_batches(rows, tree())
        assert ids(batches) == ids(plan_batches(rows[::-1], tree()))
    assert sorted(doc_id for batch in ids(batches) for doc_id in batch) == list(range(len(rows)))


@given(short, short)
def test_shared_is_the_length_of_the_common_beginning(first: str, second: str) -> None:
    """The search by halves finds what counting finds."""
    n = shared(first, second)
    assert first[:n] == second[:n]
    assert n == min(len(first), len(second)) or first[n] != second[n]


@given(st.lists(short, max_size=8))
def test_new_text_is_what_a_tree_of_neighbours_holds(texts: list[str]) -> None:
    """Of sorted texts the new bytes are the nodes of their prefix tree."""
    ascii_texts = sorted(text.replace("é", "e") for text in texts)
    nodes = {text[:end] for text in ascii_texts for end in range(1, len(text) + 1)}
    assert new_bytes(ascii_texts) == len(nodes)
