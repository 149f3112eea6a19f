"""A small working folder to review, made in milliseconds: guidelines, rules, instructions to try them on, examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from synth.guidelines import Guideline, Item, Sample, guideline_row
from synth.records import Annotation, Example, Family, Instruction, Schema, Strategy, as_row
from synth.review import Item as Review
from synth.review import VerdictLog
from synth.rules import Call, Kind, Rule, apply, rule_row
from synth.shards import write_shards
from synth.work import append_lines

EXAMPLE = Review("example", "x1", "Example", "prompt", "", "answer", "rules")
SCRIPT = '<script>document.title = "taken"</script>'


def guideline(source: str = "letters", status: str = "draft", meaning: str = "A named human being.") -> Guideline:
    """A guideline for persons and places."""
    items = (
        Item(label="person", meaning=meaning, positive=(Sample(text="Ada sings.", span="Ada", invented=True),)),
        Item(label="place", meaning="A town or a country.", typical=("Rome",)),
    )
    return Guideline.model_validate(
        {"family": "ner", "source": source, "items": items, "origin": "teacher", "status": status}
    )


def rule(sentence: str = "Titles are no part of a name.", origin: str = "teacher") -> Rule:
    """A rule that takes titles off names."""
    return Rule(
        name="titles-out", family=Family.NER, source="letters", kind=Kind.BOUNDARY, sentence=sentence,
        labels=("person",),
        operation=Call(name="strip_start", parameters={"labels": ["person"], "words": ["dr"]}),
        origin="teacher" if origin == "teacher" else "rulebook", status="accepted",
    )  # fmt: skip


def instruction(number: int) -> Instruction:
    """Letter number so and so."""
    text = f"Dr Ada Vance wrote letter {number} from Rome."
    answer = ({"label": "person", "text": "Dr Ada Vance"}, {"label": "place", "text": "Rome"})
    return Instruction(Family.NER, "letters", f"d{number}", text, Schema(("person", "place")), answer, "CC0-1.0")


def examples(number: int) -> list[Example]:
    """The basic example of a letter, one under the rule and one in another format."""
    base = instruction(number)
    ruled = apply(rule(), base)
    assert ruled is not None
    failed = (Annotation("length", "1", number % 5 > 0, 900, "too long" if number % 5 == 0 else ""),)
    prompt = f"Find persons and places.\n{base.text}"
    return [
        Example(base, "json", "p1", prompt, '{"person": ["Dr Ada Vance"], "place": ["Rome"]}', (), failed),
        Example(
            ruled,
            "json",
            "p1",
            prompt + "\n" + rule().sentence,
            '{"person": ["Ada Vance"], "place": ["Rome"]}',
            (Strategy.RULES,),
        ),
        Example(base, "lines", "p1", prompt, "person: Dr Ada Vance\nplace: Rome", (Strategy.FORMATS,)),
    ]


def working_folder(folder: Path, letters: int = 40) -> Path:
    """A folder with two guidelines, a rule, instructions and three examples for each letter; one says ``<script>``."""
    folder.mkdir(parents=True, exist_ok=True)
    append_lines(folder / "guidelines.jsonl", map(guideline_row, [
        guideline(), guideline("telegrams", "approved", f"Never run this: {SCRIPT}"),
    ]))  # fmt: skip
    append_lines(folder / "rules.jsonl", [rule_row(rule())])
    measured = {"tried": 30, "changed": 30, "ungrounded": 0, "agreement": 0.95, "compared": 20, "answers": {}}
    append_lines(folder / "decisions.jsonl", [{"id": rule().id, **measured}])
    write_shards(folder / "instructions", (as_row(instruction(number)) for number in range(letters)))
    rows = (as_row(example) for number in range(letters) for example in examples(number))
    write_shards(folder / "filtered", rows, size=60)
    return folder


def item(number: int, strategy: str = "basic") -> Review:
    """An example to judge."""
    return replace(EXAMPLE, id=f"x{number}", strategy=strategy)


def judge(out: Path, reviewer: str, count: int) -> None:
    """What one of several processes does."""
    log = VerdictLog(out)
    for number in range(count):
        log.record(item(number), "accept", reviewer)
