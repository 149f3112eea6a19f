"""Guidelines and rules of the rulebook on real data sets: everything is guided, and enough rules are accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from synth import rulebook
from synth.draws import Draws
from synth.guidelines import ANGLES, draft, label_sets, labels_of, show
from synth.instructions import build, confusions
from synth.recipe import GuidelineSettings, InstructionSettings, RuleSettings, Source
from synth.records import Document, Family
from synth.rules import apply, decide, probes, propose
from synth.sources import read
from synth.teachers.rulebook import Rulebook

pytestmark = pytest.mark.realdata

SOURCES = (
    Source(dataset="DFKI-SLT/conll04", limit=400),
    Source(dataset="DFKI-SLT/conll04", family=Family.NER, limit=300),
    Source(dataset="DFKI-SLT/cross_ner", config="ai"),
    Source(dataset="local/casie", limit=150),
    Source(dataset="local/geneva", limit=300),
    Source(dataset="SetFit/sst2", config="setfit", limit=200),
    Source(dataset="cardiffnlp/tweet_eval", config="emotion", limit=200),
    Source(dataset="dataset-org/c3", config="dialog", limit=200),
)
TEACHER = Rulebook(rulebook.answer)
SETTINGS = RuleSettings(per_source=100)


@pytest.fixture(scope="module")
def documents(mirror: Path) -> Sequence[Document]:
    """Train documents of real data sets."""
    return [document for source in SOURCES for document in read(source, 0, mirror)]


def test_every_real_label_set_gets_a_guideline_that_its_data_does_not_refuse(documents: Sequence[Document]) -> None:
    """Approved, complete, and shown within its budget without the text that is asked about."""
    found = {(one.family, one.source): one for one in draft(label_sets(documents), TEACHER, GuidelineSettings())}
    assert {one.status for one in found.values()} == {"approved"}
    for document in Draws("shown").sample(documents, 60):
        guideline = found[document.family, document.source]
        assert set(labels_of(document)) <= set(guideline.labels)
        for angle in ANGLES:
            told = show(guideline, labels_of(document), angle, text=document.text)
            assert len(told) <= 900
            assert f'"{document.text}"' not in told


def test_rules_are_accepted_for_every_source_and_stay_grounded(documents: Sequence[Document]) -> None:
    """At least two rules per source are accepted, of several kinds; no answer of a probe is invented."""
    asked = list(build(documents, InstructionSettings(), confusions(documents), 0))
    tried = probes(asked, SETTINGS)
    decisions = list(decide(propose(label_sets(documents), TEACHER, SETTINGS), tried, [TEACHER], SETTINGS))
    assert all(decision.ungrounded == 0 for decision in decisions)
    accepted = [decision.rule for decision in decisions if decision.accepted]
    by_source = Counter((rule.family, rule.source) for rule in accepted if rule.family is not Family.OPEN_IE)
    assert by_source.keys() == {(document.family, document.source) for document in documents}
    assert min(by_source.values()) >= 2
    assert len({rule.kind for rule in accepted}) == 6
    for rule in accepted:
        changed = [after for before in tried[rule.family, rule.source] if (after := apply(rule, before))]
        assert len(changed) >= SETTINGS.min_changed
