"""The data set card of a corpus: what it holds, where it comes from, under which licences, how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from synth.formats import held_out_formats
from synth.markdown import table
from synth.mix.selection import SPLITS
from synth.mix.shuffle import COLUMNS
from synth.recipe import Recipe

_TASKS = {
    "ner": "token-classification",
    "re": "text-generation",
    "ee": "text-generation",
    "open_ie": "text-generation",
    "mrc": "question-answering",
    "tc": "text-classification",
    "general": "text-generation",
}
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))


def card(found: Mapping[str, Any], recipe: Recipe) -> str:
    """The card, Markdown with YAML front matter that ``datasets.load_dataset`` reads.

    Args:
        found: The datasheet.
        recipe: The recipe.
    """
    facts = yaml.safe_dump(_front(found, recipe), sort_keys=False, allow_unicode=True)
    return f"---\n{facts}---\n\n" + "\n\n".join(_body(found, recipe)) + "\n"


def _front(found: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    files = [
        {"split": split, "path": f"{split}-*.{recipe.mix.form}"}
        for split in SPLITS
        if found["splits"][split]["records"]
    ]
    return {
        "pretty_name": recipe.name,
        "license": "other",
        "license_name": "by-source",
        "task_categories": sorted({_TASKS[family] for family in found["families"]}),
        "size_categories": [next((name for most, name in _SIZES if found["records"] < most), "n>10M")],
        "tags": ["instruction-tuning", "information-extraction", "synthetic", "hum-harness"],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": [{"name": column, "dtype": "string"} for column in COLUMNS]},
    }


def _body(found: Mapping[str, Any], recipe: Recipe) -> list[str]:
    pool, chosen = found["pool"], found["selection"]
    held_out = ", ".join(held_out_formats(recipe.formats)) or "none"
    return [
        f"# {recipe.name}",
        "Instruction data in the manner of Hum (arXiv 2502.03843), made by `harness synth` from seed data sets: base "
        "instructions in the style of IEPile (arXiv 2402.14710), of which some were shaped by guidelines, preference "
        "rules or another answer format. It is not the data of the paper, which is not public.",
        "## Content",
        table([("split", "records", "documents", "tokens"), *_splits(found)]),
        "A document is in one split only. Families:",
        table([("family", "records"), *found["families"].items()]),
        "Strategies (an example can be shaped by several; `basic` by none):",
        table([("strategy", "records"), *found["strategies"].items()]),
        "Answer formats:",
        table([("format", "records"), *found["formats"].items()]),
        "## Columns",
        table([("column", "holds"), *COLUMNS.items()]),
        "## Sources and licences",
        "Each row carries the licence of its source. Use the corpus only as all of them allow.",
        table(
            [
                ("source", "records", "licence"),
                *((name, item["records"], item["licence"]) for name, item in found["sources"].items()),
            ]
        ),
        "## Selection",
        f"{found['records']:,} of {pool['records']:,} examples; {pool['passed']:,} passed every filter. Share of "
        f"compound examples: {chosen['compound']:g}. Ablation: {chosen['ablation']}. Seed: {chosen['seed']}. "
        f"Recipe: `{found['recipe']}`.",
        *_rejections(found),
        f"Kept for evaluation and not in here: the answer formats {held_out}, one phrasing of each family, and the "
        "preference rules that the recipe holds out.",
        "## Load",
        '```python\nfrom datasets import load_dataset\n\ncorpus = load_dataset("path/to/this/folder")\n```',
        "TRL's `SFTTrainer` takes the columns `prompt` and `completion` as they are; the loss covers the completion.",
    ]


def _splits(found: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (split, item["records"], item["documents"], "not counted" if item["tokens"] is None else item["tokens"])
        for split, item in found["splits"].items()
    ]


def _rejections(found: Mapping[str, Any]) -> list[str]:
    if not found["rejected"]:
        return []
    return [
        "Examples of the pool that a filter rejects (one can be rejected by several):",
        table([("filter", "rejected"), *found["rejected"].items()]),
    ]
