"""What a corpus of the default recipe holds, against what the probes call unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import load_catalog
from synth import pipeline
from synth.shards import read_shards
from synth.work import open_work, read_lines

SEEDS = (0, 7)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_corpus_holds_nothing_that_a_probe_calls_unseen(tmp_path: Path, seed: int) -> None:
    """No example has a held-out format, wording or rule, whatever the recipe's seed; seen ones do occur."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"seed: {seed}\nsources: [{{dataset: seeds, limit: 400}}]\n", encoding="utf-8")
    work = open_work(tmp_path, recipe, workers=1)
    pipeline.draft(work)
    pipeline.render(work)
    rows = list(read_shards(tmp_path / "examples"))
    rules = {rule["id"]: rule["name"] for rule in read_lines(tmp_path / "rules.jsonl")}
    used = {
        "format": {row["format"] for row in rows},
        "phrasing": {row["phrasing"] for row in rows},
        "rule": {rules[row["instruction"]["rule"]] for row in rows if row["instruction"]["rule"]},
    }
    probes = [task.probe for suite in ("probe-formats", "probe-rules") for task in load_catalog().suite(suite).tasks]
    for kind, found in used.items():
        unseen = {probe["variant"] for probe in probes if probe["kind"] == kind and not probe["seen"]}
        assert unseen
        assert not unseen & found
        assert found & {probe["variant"] for probe in probes if probe["kind"] == kind and probe["seen"]}
