"""Statistics of a corpus on disk: they agree with the rows, and the page stands alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from synth_pools import examples, write_pool

from harness.errors import MissingInputError, StoreError
from harness.executors import Local
from synth.mix import mix
from synth.recipe import Recipe, recipe_of
from synth.stats import stats
from synth.stats.page import markdown

USAGE = {"sent": 1200, "cached": 34, "prompt_tokens": 5000, "completion_tokens": 700, "cost": 1.5}


def recipe(**given: object) -> Recipe:
    """A recipe of a small corpus."""
    return recipe_of({"name": "A <Trial>", "sources": [{"dataset": "seeds"}], "mix": {"records": 100, **given}})


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a pool of 200 documents, some labels of them emoji, its corpus and its statistics."""
    folder = tmp_path_factory.mktemp("work")
    pool = list(examples(200))
    answer = ({"label": "😂北京 $x$"},)
    odd = [replace(item, instruction=replace(item.instruction, answer=answer)) for item in pool[5:10]]
    write_pool(folder / "filtered", pool[:5] + odd + pool[10:])
    mix(folder / "filtered", folder / "corpus", recipe(), Local(1))
    stats(folder / "filtered", folder / "corpus", folder / "stats", recipe(), USAGE)
    return folder


def text_of(work: Path, name: str) -> str:
    """A file of the statistics."""
    return (work / "stats" / name).read_text(encoding="utf-8")


def test_numbers_agree_with_the_rows(work: Path) -> None:
    """Families, strategies, formats and the funnel are those of the files."""
    found = json.loads(text_of(work, "stats.json"))
    parts = [path.read_text(encoding="utf-8").splitlines() for path in (work / "corpus").glob("*-of-*.jsonl")]
    rows = [json.loads(line) for part in parts for line in part]
    assert found["records"] == len(rows) == 100
    assert found["families"] == Counter(row["family"] for row in rows)
    assert found["strategies"]["ner"] == Counter(row["strategies"] for row in rows if row["family"] == "ner")
    assert found["shares"]["basic"] == pytest.approx(0.55, abs=0.01)
    assert sum(sum(counts.values()) for counts in found["formats"].values()) == 100
    assert [(step["step"], step["left"]) for step in found["funnel"]] == [
        ("rendered", 1000), ("length", 1000), ("grounded", 900), ("contamination", 860), ("in the corpus", 100),
    ]  # fmt: skip
    assert found["labels"]["ner"]["facts"]["person"] == found["families"]["ner"]
    lengths = sorted(len(row["prompt"]) for row in rows)
    assert (found["lengths"]["prompt"]["least"], found["lengths"]["prompt"]["most"]) == (lengths[0], lengths[-1])
    assert found["teacher"] == USAGE


def test_the_same_rows_give_the_same_bytes(work: Path, tmp_path: Path) -> None:
    """Numbers, pages and plots do not change between runs, nor with the form of the files."""
    mix(work / "filtered", tmp_path / "corpus", recipe(form="parquet"), Local(1))
    stats(work / "filtered", tmp_path / "corpus", tmp_path / "stats", recipe(), USAGE)
    for path in (work / "stats").iterdir():
        assert path.read_bytes() == (tmp_path / "stats" / path.name).read_bytes(), path.name


def test_the_page_stands_alone(work: Path) -> None:
    """No script, no outside asset, a title for every plot, names escaped; each plot is well-formed."""
    page = text_of(work, "index.html")
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "A &lt;Trial&gt;" in page
    plots = {path.name: path for path in (work / "stats").glob("*.svg")}
    assert {"funnel.svg", "strategies.svg", "formats.svg", "lengths.svg", "labels-ner.svg"} <= set(plots)
    for path in plots.values():
        assert ElementTree.parse(path).getroot().get("aria-label")
        assert path.read_text(encoding="utf-8") in page


def test_the_markdown_page_shows_every_plot_and_the_cost(work: Path) -> None:
    """Every plot is a file beside the page; tokens and price of the teacher are there."""
    page = text_of(work, "README.md")
    assert set(re.findall(r"\]\(([^)]+\.svg)\)", page)) == {path.name for path in (work / "stats").glob("*.svg")}
    assert "| prompt tokens | 5,000 |" in page
    assert "| cost | 1.50 |" in page


def test_what_is_not_known_of_the_teacher_is_said(work: Path) -> None:
    """An unknown price is no zero, and neither is a missing record."""
    numbers = json.loads(text_of(work, "stats.json"))
    assert "the recipe has no price" in markdown("Trial", {**numbers, "teacher": {**USAGE, "cost": None}})
    assert "Nothing is recorded" in markdown("Trial", {**numbers, "teacher": None})


def test_without_a_corpus_the_step_before_is_named(work: Path, tmp_path: Path) -> None:
    """A missing corpus is a missing input with the command that makes it."""
    with pytest.raises(MissingInputError, match="harness synth mix"):
        stats(work / "filtered", tmp_path / "none", tmp_path / "stats", recipe())


def test_a_place_that_cannot_be_written_is_said(work: Path, tmp_path: Path) -> None:
    """A file in the place of the folder is a sentence, no traceback."""
    (tmp_path / "stats").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        stats(work / "filtered", work / "corpus", tmp_path / "stats", recipe())
