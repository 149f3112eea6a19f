"""Guidelines and rules over a live endpoint that stumbles: drafted, reflected on, relabelled twice, and replayed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import teaching
from annotated import asked as instruction
from annotated import documents, entities
from faulty_server import Act, FaultyServer

from synth.guidelines import Guideline, draft, label_sets
from synth.recipe import GuidelineSettings, RuleSettings
from synth.records import Family
from synth.rules import Decision, decide, probes, propose
from synth.teachers.endpoint import Endpoint

NAMES = ("Tom", "Eva", "Ann", "Bo", "Cy", "Dee")
MADE = [
    instruction(Family.NER, f"Dr {name} saw Sarn.", *entities(("person", f"Dr {name}"), ("place", "Sarn")))
    for name in NAMES
]
RULES = [
    {"name": "no-titles", "kind": "boundary", "sentence": "Leave titles such as Dr out of names.",
     "operation": {"name": "strip_start", "parameters": {"words": ["Dr"]}}},
    {"name": "names-without-dr", "kind": "boundary", "sentence": "A name never begins with the word Dr."},
    {"name": "no-rivers", "kind": "exclusion", "sentence": "Rivers are not marked at all.", "labels": ["river"]},
]  # fmt: skip


def item(label: str, typical: list[str]) -> dict[str, Any]:
    """What the model says of one label."""
    sample = {"text": "In Ellery.", "span": "Ellery", "invented": True}
    return {"label": label, "meaning": f"A named {label}.", "typical": typical, "positive": [sample]}


def model(body: dict[str, Any]) -> dict[str, Any]:
    """What a sensible model says to a prompt."""
    system, user = (message["content"] for message in body["messages"][:2])
    if "invent annotation rules" in system:
        return {"rules": RULES}
    if "strictly by the rule" in system:
        found = re.search(r"without the rule: (\[.*\])$", user, re.MULTILINE)
        assert found is not None
        facts = json.loads(found[1])
        return {"facts": [fact | {"text": fact["text"].removeprefix("Dr ")} for fact in facts]}
    revised = "Your draft:" in user
    return {"items": [item("person", ["Tom"] if revised else ["Sarn"]), item("place", [])]}


def stumbling(number: int, body: dict[str, Any]) -> Act:
    """Now and then a rate limit, a server error, a cut line, prose around the answer, or the wrong form."""
    acts = {1: Act(status=429, headers={"retry-after": "0"}), 3: Act(status=500), 5: Act(cut="middle")}
    if number % 9 in acts:
        return acts[number % 9]
    text = json.dumps(model(body))
    if number % 9 == 7:
        return Act(text=f"Here you are:\n```json\n{text}\n```")
    return Act(text='{"other": 1}') if number % 9 == 4 else Act(text=text)


def road(teacher: Endpoint) -> tuple[list[Guideline], list[Decision]]:
    """Guidelines and decided rules of the whole road with one teacher."""
    sets = label_sets(documents(*MADE))
    settings = RuleSettings(min_changed=3, probe=6, per_source=100)
    guidelines = list(draft(sets, teacher, GuidelineSettings(rounds=1, seeds=4)))
    decided = decide(propose(sets, teacher, settings), probes(MADE, settings), [teacher], settings)
    return guidelines, [one for one in decided if one.rule.origin == "teacher"]


def test_the_whole_road_over_a_stumbling_endpoint_and_again_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults cost retries, never results; a second run asks nothing and gives the same guidelines and rules."""
    monkeypatch.setenv("TEACHER_TEST_KEY", "sk-test")
    with FaultyServer(stumbling) as server:
        teacher = teaching.endpoint(server.url, tmp_path, retries=5)
        guidelines, decisions = road(teacher)
        usage = teacher.usage()
    assert [(one.status, one.origin, one.labels) for one in guidelines] == [("draft", "teacher", ("person", "place"))]
    assert guidelines[0].items[0].typical == ("Tom",)
    assert guidelines[0].provenance["teacher"] == "m"
    by_name = {one.rule.name: one for one in decisions}
    assert {name: one.rule.status for name, one in by_name.items()} == {
        "no-titles": "accepted", "names-without-dr": "accepted", "no-rivers": "rejected",
    }  # fmt: skip
    assert (by_name["no-titles"].agreement, by_name["names-without-dr"].agreement) == (1.0, 1.0)
    assert len(by_name["names-without-dr"].answers) == len(NAMES)
    assert usage.retries > 0
    again = road(teaching.endpoint("http://127.0.0.1:9/v1", tmp_path, retries=5))
    assert again == (guidelines, decisions)
