"""The steps of synthesis, in order. Each reads what the step before it left in the working folder.

    draft   documents/, confusions.json, instructions/, guidelines.jsonl, rules.jsonl, decisions.jsonl
    render  examples/
    filter  filtered/
    mix     corpus/, corpus-<ablation>/
    stats   stats/

A step that is done with the same recipe and the same input is not done again; a killed one goes on from its whole
shards, and no request to a teacher is repeated.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import MissingInputError
from synth import filters, guidelines, instructions, rulebook, rules, sources, teachers
from synth import mix as mixing
from synth import stats as measuring
from synth.formats import train_formats
from synth.guidelines import Guideline
from synth.prompts import prompt
from synth.recipe import Recipe
from synth.records import Document, Example, as_row, digest, document_of, instruction_of
from synth.review import approved, edited_examples, latest, rejected
from synth.rules import Decision, Rule
from synth.shards import done, mark_done, read_shard, read_shards, write_shard, write_text
from synth.show import Screen
from synth.teachers import Teacher, spent, teacher_of
from synth.variants import Library, examples
from synth.work import Work, append_lines, at_work, digest_of_files, read_lines, shaped, write_per_shard, write_step

Facts = Mapping[str, Any]

DOCUMENTS, INSTRUCTIONS, EXAMPLES, FILTERED, CORPUS, STATS = (
    "documents", "instructions", "examples", "filtered", "corpus", "stats",
)  # fmt: skip
GUIDELINES, RULES, DECISIONS, VERDICTS = "guidelines.jsonl", "rules.jsonl", "decisions.jsonl", "verdicts.jsonl"
CONFUSIONS, TEACHER, DRAFTS = "confusions.json", "teacher.sqlite", "drafts"

TRANSPORT = ("url", "key_variable", "concurrency", "requests_per_minute", "price", "timeout_s", "retries")
"""Settings of a teacher that move answers and shape none."""


DRAFTING = ("guideline_draft", "guideline_reflect", "rule_propose", "rule_relabel", "reask")
"""Prompts that shape guidelines and rules."""


def draft(work: Work) -> Facts:
    """Read the seed data, make base instructions, draft guidelines and rules.

    Returns:
        ``documents``, ``instructions``, ``guidelines`` and ``rules`` by status, and what the user should know
        (``notes``).

    Raises:
        HarnessError: A source, the teacher or the folder does not allow it.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        documents = _documents(work)
    asked = _instructions(work)
    _drafts(work)
    return {
        "documents": documents,
        "instructions": asked,
        "guidelines": Counter(row["status"] for row in _current(work, GUIDELINES)),
        "rules": Counter(row["status"] for row in _current(work, RULES)),
        "notes": [str(warning.message) for warning in told],
    }


def render(work: Work) -> Facts:
    """Write the basic example of every instruction and its variants.

    Returns:
        ``examples``: their number.

    Raises:
        HarnessError: The draft is not done yet, or the folder cannot be written.
    """
    if done(work.part(DRAFTS), _drafted_by(work)) is None:
        raise MissingInputError(
            f"The draft in {work.folder}", "is not done with this recipe", "run harness synth draft first"
        )
    library = usable(work)
    lines = digest_of_files(work.part(name) for name in (GUIDELINES, RULES, DECISIONS, VERDICTS))
    shaped_by = digest([shaped(work.part(INSTRUCTIONS)), lines, work.recipe.variants, work.recipe.formats.model_dump()])
    function = partial(_rendered, library, work, edited_examples(work.folder))
    count = write_per_shard(work.part(INSTRUCTIONS), work.part(EXAMPLES), shaped_by, work.executor, function)
    return {"examples": count}


def filter(work: Work) -> Facts:
    """Annotate every example.

    Returns:
        ``examples``, ``passed``, ``failed`` by filter, ``uncovered`` tasks with the reason.

    Raises:
        HarnessError: There are no examples yet, or a filter's setting does not allow it.
    """
    library = usable(work)
    context = filters.Context(
        settings=work.recipe.filters.model_copy(update={"tokenizer": work.tokenizer}),
        cache=work.folder,
        mirror=work.mirror,
        guidelines={one.id: _told(one) for one in library.guidelines.values()},
        rules={rule.id: rules.wording(rule) for group in library.rules.values() for rule in group},
        teacher=work.recipe.teacher,
    )
    return asdict(filters.annotate(work.part(EXAMPLES), work.part(FILTERED), context, work.executor))


def mix(work: Work, ablation: str | None = None) -> Facts:
    """Select the corpus and write it, and beside it the further selections that the recipe names.

    Args:
        work: The corpus under way.
        ablation: A row selection of the same size instead of the recipe's; it alone is written, to
            ``corpus-<ablation>/``.

    Returns:
        The datasheet: ``records``, ``families``, ``strategies``, ``rejected`` and more.

    Raises:
        HarnessError: There are no filtered examples, or too few for the budget.
    """
    if ablation is not None:
        return _mixed(work, ablation)
    found = _mixed(work, None)
    for name in work.recipe.mix.ablations:
        _mixed(work, name)
    return found


def _mixed(work: Work, ablation: str | None) -> Facts:
    """Write the recipe's selection to ``corpus/``, or an ablation of it to a folder of its own."""
    held_out = [row["id"] for row in read_lines(work.part(RULES)) if row["held_out"]]
    recipe, target = work.recipe, CORPUS
    if ablation is not None:
        recipe = recipe.model_copy(update={"mix": recipe.mix.model_copy(update={"ablation": ablation})})
        target = f"{CORPUS}-{ablation}"
    return mixing.mix(
        work.part(FILTERED), work.part(target), recipe, work.executor,
        held_out_rules=held_out, refused=rejected(work.folder),
    )  # fmt: skip


def stats(work: Work) -> Facts:
    """Measure the corpus and write the pages.

    Returns:
        The content of ``stats.json``.

    Raises:
        HarnessError: There is no corpus yet.
    """
    usage = asdict(spent(work.part(TEACHER), work.recipe.teacher.price))
    if work.recipe.teacher.kind == "rulebook":
        usage["cost"] = 0.0
    return measuring.stats(work.part(FILTERED), work.part(CORPUS), work.part(STATS), work.recipe, usage)


def usable(work: Work) -> Library:
    """Guidelines and rules that may shape a corpus: approved or accepted, not rejected by a person, not held out."""
    yes, no = approved(work.folder), rejected(work.folder)
    found: dict[tuple[str, str], Guideline] = {}
    for row in _current(work, GUIDELINES):
        one = guidelines.guideline_of(row)
        waits = one.status == "draft" and work.recipe.guidelines.require_approval and one.id not in yes
        if one.status != "rejected" and one.id not in no and not waits:
            found[one.family, one.source] = one
    kept: dict[tuple[str, str], list[Rule]] = {}
    for row in _current(work, RULES):
        rule = rules.rule_of(row)
        waits = rule.origin == "teacher" and work.recipe.rules.require_approval and rule.id not in yes
        if rule.status == "accepted" and not rule.held_out and rule.id not in no and not waits:
            kept.setdefault((rule.family, rule.source), []).append(rule)
    answers = {
        row["id"]: {asked: tuple(facts) for asked, facts in row["answers"].items()}
        for row in read_lines(work.part(DECISIONS))
        if row["answers"]
    }
    return Library(found, kept, answers)


def _documents(work: Work) -> int:
    sources_of = work.recipe.sources
    files = digest_of_files(source.file for source in sources_of if source.file is not None)
    shaped_by = digest([[source.model_dump(mode="json") for source in sources_of], files, work.recipe.seed])

    def rows() -> Iterator[dict[str, Any]]:
        for source in sources_of:
            yield from map(as_row, sources.read(source, work.recipe.seed, work.mirror))

    return write_step(work.part(DOCUMENTS), shaped_by, rows)


def _instructions(work: Work) -> int:
    settings = work.recipe.instructions
    shaped_by = digest([shaped(work.part(DOCUMENTS)), settings.model_dump(mode="json"), work.recipe.seed])

    def rows() -> Iterator[dict[str, Any]]:
        confusable = instructions.confusions(_read(work, DOCUMENTS, document_of))
        text = json.dumps(instructions.confusions_row(confusable), ensure_ascii=False, indent=1)
        write_text(work.part(CONFUSIONS), text + "\n")
        documents = _read(work, DOCUMENTS, document_of)
        yield from map(as_row, instructions.build(documents, settings, confusable, work.recipe.seed))

    return write_step(work.part(INSTRUCTIONS), shaped_by, rows)


def _drafts(work: Work) -> None:
    """Draft guidelines and rules, unless they were drafted from the same data by the same teacher."""
    recipe, mark, shaped_by = work.recipe, work.part(DRAFTS), _drafted_by(work)
    if done(mark, shaped_by) is not None:
        return
    teacher = teacher_of(recipe.teacher, work.part(TEACHER))
    sets = guidelines.label_sets(_shown(work), recipe.seed)
    drafted = list(map(guidelines.guideline_row, guidelines.draft(sets, teacher, recipe.guidelines)))
    append_lines(work.part(GUIDELINES), drafted)
    decided = list(_decided(work, sets, teacher))
    append_lines(work.part(RULES), decided)
    ids = [row["id"] for row in (*drafted, *decided)]
    mark_done(mark, shaped_by, usage=asdict(teacher.usage()), ids=ids)


def _current(work: Work, name: str) -> Iterator[dict[str, Any]]:
    """Guidelines or rules of the last draft, and what people made of them; an earlier recipe's are not used."""
    facts = done(work.part(DRAFTS), _drafted_by(work))
    ids = set(facts["ids"]) if facts else set()
    for row in read_lines(work.part(name)):
        if row["id"] in ids or row["provenance"].get("edited_from") in ids:
            ids.add(row["id"])
            yield row


def _drafted_by(work: Work) -> str:
    recipe = work.recipe
    asked = recipe.teacher.model_dump(mode="json", exclude=set(TRANSPORT))
    settings = [asked, recipe.guidelines.model_dump(mode="json"), recipe.rules.model_dump(mode="json")]
    return digest([shaped(work.part(INSTRUCTIONS)), settings, recipe.mix.dev, recipe.seed, _knowledge(recipe)])


def _knowledge(recipe: Recipe) -> list[str]:
    """Digests of what a teacher is asked with: the library of the rulebook, or the prompts of a model."""
    if recipe.teacher.kind == "rulebook":
        return [rulebook.fingerprint()]
    return [prompt(purpose).digest for purpose in DRAFTING]


def _shown(work: Work) -> Iterator[Document]:
    """Documents that a guideline may show: none that the dev split could hold, its answers would be given away."""
    bound = mixing.dev_bound(work.recipe.mix.dev)
    for document in _read(work, DOCUMENTS, document_of):
        if mixing.document_number(work.recipe.seed, document.key or document.id) >= bound:
            yield document


def _decided(work: Work, sets: Any, teacher: Teacher) -> Iterator[dict[str, Any]]:
    """Rows of decided rules; what was measured of each goes into a file of its own."""
    recipe = work.recipe
    found = rules.probes(_read(work, INSTRUCTIONS, instruction_of), recipe.rules, recipe.seed)
    proposed = rules.propose(sets, teacher, recipe.rules, recipe.seed)
    for decision in rules.decide(proposed, found, [teacher], recipe.rules):
        append_lines(work.part(DECISIONS), [_measured(decision)])
        yield rules.rule_row(decision.rule)


def _measured(decision: Decision) -> dict[str, Any]:
    return {"id": decision.rule.id, **decision.model_dump(mode="json", exclude={"rule"})}


def _rendered(library: Library, work: Work, edits: Mapping[str, Example], shard: tuple[Path, Path]) -> int:
    """Write the examples of one shard of instructions, with the answers that people edited; their number."""
    path, target = shard
    number, count = int(path.name.split(".")[0].removeprefix("part-")), 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for row in read_shard(path):
            for example in examples(instruction_of(row), library, work.recipe):
                count += 1
                yield as_row(latest(example, edits) if edits else example)

    write_shard(target, number, rows())
    return count


def _read(work: Work, name: str, of: Callable[[Mapping[str, Any]], Any]) -> Iterator[Any]:
    return map(of, read_shards(work.part(name)))


def _told(guideline: Guideline) -> str:
    return "\n".join(f"{item.label}: {item.meaning}" for item in guideline.items)


STEPS: tuple[Callable[..., Facts], ...] = (draft, render, filter, mix, stats)
"""The steps in order."""

ALL = tuple(step.__name__ for step in STEPS)


def make(work: Work, screen: Screen, names: Collection[str] = ALL, **settings: Any) -> dict[str, Facts]:
    """Do steps, and show each; what they found, by name.

    Args:
        work: The corpus under way.
        screen: Shows progress and what was found.
        names: The steps; all of them unless said otherwise.
        **settings: For a single step.

    Raises:
        HarnessError: As the steps, or another process is at work in the folder. What a later step would refuse of the
            recipe alone is refused before the first one.
    """
    check(work.recipe)
    facts = {}
    with at_work(work):
        for step in STEPS:
            name = step.__name__
            if name in names:
                with screen.step(name):
                    facts[name] = step(work, **settings)
                screen.found(name, facts[name])
    return facts


def check(recipe: Recipe) -> None:
    """Refuse what some step would refuse of the recipe alone.

    Raises:
        HarnessError: It does.
    """
    teachers.check(recipe.teacher)
    train_formats(recipe.formats)
    filters.chosen_filters(recipe.filters)
    mixing.refuse_contradictions(recipe.mix)
