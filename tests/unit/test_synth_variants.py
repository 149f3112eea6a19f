"""From a base instruction to its examples: the basic one first, then compound ones that show what shaped them."""

from __future__ import annotations

from itertools import islice

import pytest

from synth import guidelines, instructions, rules, seeds
from synth.formats import FORMATS, held_out_formats, held_out_phrasings
from synth.pipeline import _shown
from synth.recipe import Recipe, RuleSettings, recipe_of
from synth.records import Instruction, Strategy
from synth.rulebook import answer
from synth.teachers.rulebook import Rulebook
from synth.variants import Library, examples

RECIPE = recipe_of({"sources": [{"dataset": "seeds", "limit": 400}], "variants": 3})


@pytest.fixture(scope="module")
def asked() -> list[Instruction]:
    """Base instructions of embedded documents of every family."""
    documents = list(seeds.documents(0, 400, None))
    confusable = instructions.confusions(documents)
    return list(instructions.build(documents, RECIPE.instructions, confusable, 0))


@pytest.fixture(scope="module")
def library(asked: list[Instruction]) -> Library:
    """The rulebook's guidelines and accepted rules for them."""
    teacher = Rulebook(answer)
    sets = guidelines.label_sets(seeds.documents(0, 400, None))
    drafted = guidelines.draft(sets, teacher, RECIPE.guidelines)
    probes = rules.probes(asked, RuleSettings(min_changed=1))
    proposed = rules.propose(sets, teacher, RECIPE.rules)
    kept: dict[tuple[str, str], list[rules.Rule]] = {}
    for decision in rules.decide(proposed, probes, [teacher], RuleSettings(min_changed=1)):
        if decision.accepted and not decision.rule.held_out:
            kept.setdefault((decision.rule.family, decision.rule.source), []).append(decision.rule)
    return Library({(one.family, one.source): one for one in drafted if one.status == "approved"}, kept)


def test_the_first_example_is_basic_and_the_others_are_compound(asked: list[Instruction], library: Library) -> None:
    """Every instruction gives one basic example and at most ``variants`` compound ones with unlike strategies."""
    for base in asked:
        basic, *others = examples(base, library, RECIPE)
        assert basic.strategies == ()
        assert basic.instruction == base
        assert len(others) <= RECIPE.variants
        assert all(other.strategies for other in others)
        assert len({other.strategies for other in others}) == len(others)


def test_what_shaped_an_example_is_in_its_prompt(asked: list[Instruction], library: Library) -> None:
    """A guideline or rule that an example names is shown, and a variant leads back to its base instruction."""
    found = dict.fromkeys(Strategy, 0)
    for base in asked:
        for variant in islice(examples(base, library, RECIPE), 1, None):
            for strategy in variant.strategies:
                found[strategy] += 1
            if Strategy.RULES in variant.strategies:
                (rule,) = (one for one in library.rules[base.family, base.source] if one.id == variant.instruction.rule)
                sentence = rules.wording(rule, base)
                assert sentence in variant.prompt or sentence.replace('"', '\\"') in variant.prompt
            if {Strategy.RULES, Strategy.GUIDELINES} & set(variant.strategies):
                assert variant.instruction.parent == base.id
    assert min(found.values()) > 50


def test_answers_parse_back(asked: list[Instruction], library: Library) -> None:
    """Every completion reads back as the canonical answer of its own instruction."""
    from synth.formats import canonical

    for base in asked[::5]:
        for example in examples(base, library, RECIPE):
            read = FORMATS[example.format].parse(example.completion, example.instruction)
            assert read == canonical(example.instruction)


def test_nothing_held_out_is_used(asked: list[Instruction], library: Library) -> None:
    """Held-out formats and phrasings occur in no example."""
    used = [example for base in asked for example in examples(base, library, RECIPE)]
    assert not {example.format for example in used} & set(held_out_formats(RECIPE.formats))
    for base in asked:
        assert not {example.phrasing for example in used} & set(held_out_phrasings(base.family))


def test_choices_hang_on_instruction_and_seed_alone(asked: list[Instruction], library: Library) -> None:
    """The same instruction gives the same examples wherever it stands; another seed gives others."""
    first = [list(examples(base, library, RECIPE)) for base in asked[:50]]
    again = [list(examples(base, library, RECIPE)) for base in reversed(asked[:50])]
    other = [list(examples(base, library, RECIPE.model_copy(update={"seed": 1}))) for base in asked[:50]]
    assert first == again[::-1]
    assert first != other


def test_without_a_library_only_formats_vary(asked: list[Instruction]) -> None:
    """Where there are no guidelines and rules, variants are format variants."""
    used = {
        strategy for base in asked for example in examples(base, Library(), RECIPE) for strategy in example.strategies
    }
    assert used == {Strategy.FORMATS}


def test_guidelines_show_no_document_of_the_dev_split(tmp_path: object) -> None:
    """The documents that guidelines draw their examples from are those that the split keeps for training."""
    from pathlib import Path

    from synth.mix.pool import document_number
    from synth.mix.selection import dev_bound
    from synth.records import as_row
    from synth.shards import write_shards
    from synth.work import Work

    recipe: Recipe = RECIPE.model_copy(update={"mix": RECIPE.mix.model_copy(update={"dev": 0.5})})
    folder = Path(str(tmp_path))
    documents = list(seeds.documents(0, 100, None))
    write_shards(folder / "documents", map(as_row, documents))
    work = Work(folder, recipe, None, "", None)  # type: ignore[arg-type]
    shown = list(_shown(work))
    dev = [one for one in documents if document_number(0, one.key or one.id) < dev_bound(0.5)]
    assert 20 < len(dev) < 80
    assert [one.id for one in shown] == [one.id for one in documents if one not in dev]
