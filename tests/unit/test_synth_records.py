"""The nouns of synthesis, the shards that hold them, and the recipe that shapes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.errors import DataError, MissingInputError, StoreError
from synth.recipe import Recipe, read_recipe, recipe_of
from synth.records import (
    Annotation,
    Document,
    Example,
    Family,
    Instruction,
    Schema,
    Strategy,
    as_row,
    document_of,
    example_of,
    instruction_of,
)
from synth.shards import done, mark_done, read_shards, shards, write_shard, write_shards

DOCUMENT = Document(
    Family.EE,
    "mine.jsonl",
    "train",
    "The dam burst in Oram on Monday.",
    Schema(("disaster",), {"disaster": ("place", "time")}),
    ({"label": "disaster", "trigger": "burst", "arguments": [{"role": "place", "text": "Oram"}]},),
    "CC0-1.0",
)
INSTRUCTION = Instruction(
    DOCUMENT.family, DOCUMENT.source, DOCUMENT.id, DOCUMENT.text, DOCUMENT.schema, DOCUMENT.answer, DOCUMENT.licence
)
EXAMPLE = Example(
    INSTRUCTION, "json", "plain", "Which events?", " {}", (Strategy.FORMATS,), (Annotation("length", "1", True, 12),)
)


def through_json(row: object) -> dict[str, object]:
    """What a row is after it was written and read."""
    loaded: dict[str, object] = json.loads(json.dumps(row))
    return loaded


def test_rows_come_back_as_they_were() -> None:
    """Document, Instruction and Example survive JSON, ids and nested schemas included."""
    assert document_of(through_json(as_row(DOCUMENT))) == DOCUMENT
    assert instruction_of(through_json(as_row(INSTRUCTION))) == INSTRUCTION
    assert example_of(through_json(as_row(EXAMPLE))) == EXAMPLE
    assert as_row(EXAMPLE)["id"] == example_of(through_json(as_row(EXAMPLE))).id


def test_an_id_is_of_the_content() -> None:
    """What shapes an instruction moves its id; how it came about does not."""
    assert replace(INSTRUCTION, rule="r1").id != INSTRUCTION.id
    assert replace(INSTRUCTION, provenance={"reader": "jsonl"}).id == INSTRUCTION.id
    assert replace(EXAMPLE, filters=()).id == EXAMPLE.id
    assert replace(EXAMPLE, prompt="Other").id != EXAMPLE.id


def test_an_example_passes_where_every_filter_passes() -> None:
    """One failing annotation is enough to fail."""
    assert EXAMPLE.passed
    assert not replace(EXAMPLE, filters=(*EXAMPLE.filters, Annotation("language", "1", False, "de"))).passed


def test_shards_hold_all_rows_in_order(tmp_path: Path) -> None:
    """Rows are cut into shards of the asked size and read back in order."""
    rows = [{"n": n, "text": "ä\ud800"} for n in range(25)]
    assert write_shards(tmp_path, rows, size=10) == 25
    assert [path.name for path in shards(tmp_path)] == [f"part-{n:05}.jsonl.zst" for n in range(3)]
    assert list(read_shards(tmp_path)) == rows


def test_a_shard_whose_rows_break_off_does_not_exist(tmp_path: Path) -> None:
    """A step that dies inside a shard leaves the shards before it and no part of its own."""

    def rows() -> object:
        yield {"n": 1}
        raise RuntimeError("killed")

    write_shard(tmp_path, 0, [{"n": 0}])
    with pytest.raises(RuntimeError, match="killed"):
        write_shard(tmp_path, 1, rows())  # type: ignore[arg-type]
    assert [path.name for path in shards(tmp_path)] == ["part-00000.jsonl.zst"]


def test_a_torn_shard_is_named(tmp_path: Path) -> None:
    """Half a shard is an error that names it."""
    path = write_shard(tmp_path, 0, [{"n": n} for n in range(1000)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"part-00000.*cannot be read"):
        list(read_shards(tmp_path))


def test_a_folder_without_shards_says_what_to_run(tmp_path: Path) -> None:
    """A step that was not run is named as missing input."""
    with pytest.raises(MissingInputError, match="run the step before it"):
        shards(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where a folder should be is an error of the store."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_shard(tmp_path / "file", 0, [])


def test_a_step_is_done_only_for_what_shaped_it(tmp_path: Path) -> None:
    """The mark of a step holds for the same digest and for no other."""
    mark_done(tmp_path, "abc", rows=3)
    assert done(tmp_path, "abc") == {"shaped_by": "abc", "rows": 3}
    assert done(tmp_path, "abd") is None
    assert done(tmp_path / "nothing", "abc") is None


def test_a_recipe_is_read_and_its_digest_moves_with_it(tmp_path: Path) -> None:
    """Defaults fill what is not said; any other setting is another recipe."""
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"sources": [{"dataset": "seeds", "limit": 10}]}), encoding="utf-8")
    recipe = read_recipe(path)
    assert recipe.mix.compound == 0.45
    assert recipe.digest == recipe_of({"sources": [{"dataset": "seeds", "limit": 10}]}).digest
    assert recipe.digest != Recipe.model_validate({"sources": [{"dataset": "seeds"}]}).digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"sources": [{"dataset": "seeds"}], "mxi": {}}, "unknown key mxi; did you mean mix?"),
        ({"sources": [{"dataset": "seeds"}], "mix": {"tokns": 3}}, "unknown key mix.tokns; did you mean tokens?"),
        ({"sources": [{"dataset": "seeds", "limit": 0}]}, "wrong value at sources.0.limit"),
        ({"sources": []}, "wrong value at sources"),
        ([], "does not hold a mapping"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(content: object, words: str) -> None:
    """The message says which key or value is wrong, and the nearest right name."""
    with pytest.raises(DataError, match=words.replace("?", r"\?")):
        recipe_of(content)


def test_a_recipe_that_is_not_there_or_not_yaml_is_named(tmp_path: Path) -> None:
    """A missing file and a broken one are told apart."""
    with pytest.raises(MissingInputError, match="is not there"):
        read_recipe(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        read_recipe(tmp_path / "broken.yaml")
