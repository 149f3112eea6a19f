"""From a base instruction to the examples that may enter a corpus: the basic one, and compound ones.

A compound example has at least one strategy. Which ones, which rule, which angle of the guideline, which format and
which wording hang on the digest of the instruction and on the seed, so a shard can be made anywhere and in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from synth.draws import Draws
from synth.formats import FORMATS, example, train_formats, train_phrasings
from synth.formats.registry import basic_format
from synth.guidelines import ANGLES, Guideline, labels_of, show
from synth.recipe import Recipe
from synth.records import Example, Instruction, Strategy
from synth.rules import Rule, apply, wording

_SUBSETS = tuple(frozenset(chosen) for size in range(1, len(Strategy) + 1) for chosen in combinations(Strategy, size))


@dataclass(frozen=True, slots=True)
class Library:
    """What variants are made with; it can be pickled.

    Attributes:
        guidelines: Usable guidelines by family and source.
        rules: Usable rules by family and source; none of them is held out.
        answers: For rules that a teacher relabels: agreed answers by rule id and instruction id.
    """

    guidelines: Mapping[tuple[str, str], Guideline] = field(default_factory=dict)
    rules: Mapping[tuple[str, str], Sequence[Rule]] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def examples(base: Instruction, library: Library, recipe: Recipe) -> Iterator[Example]:
    """The basic example of an instruction, then at most ``variants`` compound ones, no two with equal strategies.

    Args:
        base: An instruction without guideline and rule.
        library: Guidelines and rules.
        recipe: Seed, number of variants, formats.
    """
    draws = Draws(f"{recipe.seed}/variants/{base.id}")
    form = basic_format(base, recipe.formats.basic)
    yield example(base, form, draws.pick(train_phrasings(base.family)), basic=recipe.formats.basic)
    made = 0
    for strategies in draws.shuffled(_SUBSETS):
        if made == recipe.variants:
            return
        variant = _variant(base, strategies, library, recipe, draws)
        if variant is not None:
            made += 1
            yield variant


def _variant(
    base: Instruction, strategies: frozenset[Strategy], library: Library, recipe: Recipe, draws: Draws
) -> Example | None:
    """The compound example with exactly these strategies, or None where one of them does not apply."""
    asked, rule_text, guideline_text = base, "", ""
    if Strategy.RULES in strategies:
        ruled = _ruled(base, library, draws)
        if ruled is None:
            return None
        asked, rule_text = ruled
    if Strategy.GUIDELINES in strategies:
        guideline = library.guidelines.get((base.family, base.source))
        if guideline is None:
            return None
        guideline_text = show(guideline, labels_of(base), draws.pick(ANGLES), text=base.text, seed=recipe.seed)
        if not guideline_text:
            return None
        asked = replace(asked, guideline=guideline.id, parent=base.id)
    form = basic_format(asked, recipe.formats.basic)
    if Strategy.FORMATS in strategies:
        others = [name for name in train_formats(recipe.formats) if name != form and FORMATS[name].can(asked)]
        if not others:
            return None
        form = draws.pick(others)
    phrasing = draws.pick(train_phrasings(base.family))
    return example(asked, form, phrasing, guideline_text, rule_text, basic=recipe.formats.basic)


def _ruled(base: Instruction, library: Library, draws: Draws) -> tuple[Instruction, str] | None:
    """The instruction under a drawn rule that changes its answer, with the sentence of the rule."""
    for rule in draws.shuffled(library.rules.get((base.family, base.source), ())):
        asked = apply(rule, base, library.answers.get(rule.id))
        if asked is not None:
            return asked, wording(rule, base)
    return None
