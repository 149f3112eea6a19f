"""The recipe: what its documentation says of every key is what its settings say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from synth import recipe
from synth.sources.registry import entry_of

PAGE = (Path(__file__).parents[2] / "docs" / "synthesis" / "README.md").read_text(encoding="utf-8")
PARTS: dict[str, type[BaseModel]] = {"sources": recipe.Source} | {
    name: item.annotation
    for name, item in recipe.Recipe.model_fields.items()
    if isinstance(item.annotation, type) and issubclass(item.annotation, BaseModel)
}


@pytest.mark.parametrize("part", PARTS)
def test_every_key_is_documented_in_the_words_of_the_settings(part: str) -> None:
    """The table of a part lists its keys in order, each with the sentence that its class has for it."""
    section = PAGE.split(f"### `{part}`\n", 1)[1].split("\n#", 1)[0]
    table = re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", section, re.MULTILINE)
    told = re.findall(r"^ {8}(\w+): (.+?)\.\n(?= {8}\w+: | {4}\Z)", PARTS[part].__doc__ or "", re.DOTALL | re.MULTILINE)
    said = [(key, " ".join(words.split()).replace("``", "`")) for key, words in told]
    assert [key for key, _ in said] == list(PARTS[part].model_fields)
    assert table == said


@pytest.mark.parametrize("path", ["benchmarks/demonstration/corpus-nlu.yaml", "benchmarks/synth/corpus.yaml"])
def test_recipes_of_published_numbers_are_valid(path: str) -> None:
    """Recipes that the docs report on are read as they stand, and their sources are known data sets."""
    for source in recipe.read_recipe(Path(path)).sources:
        assert source.dataset == "seeds" or entry_of(source.dataset or "")
