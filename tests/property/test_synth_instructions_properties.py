"""Base instructions: batches join to the whole answer, and choices hang on content alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from synth import seeds
from synth.instructions import build, confusions, confusions_of, confusions_row, merge, split
from synth.recipe import InstructionSettings
from synth.records import Document, Family, Schema, digest

LABELS = tuple("abcdefghijklmnopqrst")


@st.composite
def extractions(draw: st.DrawFn) -> Document:
    """A document with up to 20 labels and any number of facts."""
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=1, unique=True))
    answer = draw(st.lists(st.fixed_dictionaries({"label": st.sampled_from(labels), "text": st.sampled_from("xyz")})))
    text = draw(st.text(min_size=1, max_size=5))
    return Document(Family.NER, "made", "train", text, Schema(tuple(labels)), tuple(answer), "none")


@given(st.lists(extractions(), max_size=6), st.integers(1, 8), st.integers(0, 9), st.integers(0, 3))
def test_batches_join_to_the_whole_answer(documents: list[Document], size: int, others: int, seed: int) -> None:
    """Every fact is asked for exactly once, no label twice, absent ones are bounded, and batches have their size."""
    settings = InstructionSettings(labels={Family.NER: size}, other_labels=others)
    known = confusions(documents)
    for document in documents:
        batches = list(build([document], settings, known, seed))
        assert Counter(map(digest, merge(batches))) == Counter(map(digest, document.answer))
        asked = [label for batch in batches for label in batch.schema.labels]
        assert len(asked) == len(set(asked))
        present = {fact["label"] for fact in document.answer}
        near = {near for label in present for near in known.of(document, label)}
        assert present <= set(asked) <= set(document.schema.labels)
        assert len(set(asked) - present - near) <= others
        assert all(len(batch.schema.labels) < size + max(1, size // 2) for batch in batches)


@given(st.integers(0, 60), st.integers(1, 9))
def test_batches_have_their_size(total: int, size: int) -> None:
    """All batches but the last are full; a remainder of less than half a batch joins the one before."""
    names = [str(number) for number in range(total)]
    batches = split(names, size)
    assert [name for batch in batches for name in batch] == names
    assert all(len(batch) == size for batch in batches[:-1])
    if len(batches) > 1:
        assert size // 2 <= len(batches[-1]) < size + size // 2 or len(batches[-1]) == size


@given(st.floats(0, 0.9), st.integers(0, 5))
def test_the_general_share_is_never_passed(share: float, seed: int) -> None:
    """At every moment of the stream the share of general instructions is at most what was asked for."""
    documents = list(seeds.documents(seed, 60))
    general = 0
    for made, instruction in enumerate(build(documents, InstructionSettings(general=share), confusions([]), seed), 1):
        general += instruction.family is Family.GENERAL
        assert general <= share * made + 1e-9


def test_general_alone_is_kept() -> None:
    """Without any other family there is nothing to keep a share of."""
    documents = list(seeds.documents(0, 12, Family.GENERAL))
    assert len(list(build(documents, InstructionSettings(), confusions([]), 0))) == 12


def test_relations_are_also_asked_openly() -> None:
    """The asked share of documents with relations comes once more without a schema, with the same facts."""
    documents = list(seeds.documents(1, 400, Family.RE))
    made = list(build(documents, InstructionSettings(open_ie=0.5), confusions([]), 0))
    openly = [item for item in made if item.family is Family.OPEN_IE]
    assert 100 < len(openly) < 300
    by_id = {document.id: document for document in documents}
    assert all(item.answer == by_id[item.provenance["document"]].answer and not item.schema.labels for item in openly)


def test_a_long_list_of_classes_is_cut() -> None:
    """Of many classes the right one, confusable and some other ones are shown."""
    labels = tuple(f"class {number}" for number in range(30))
    documents = [
        Document(Family.TC, "made", "train", f"words {n}", Schema(labels), ({"label": labels[n]},), "none")
        for n in range(30)
    ]
    for item in build(documents, InstructionSettings(other_labels=4), confusions(documents), 0):
        assert item.answer[0]["label"] in item.schema.labels
        assert 5 <= len(item.schema.labels) <= 8


def test_confusable_labels_are_those_that_share_words() -> None:
    """Entities that carry the same words, labels of one stem and labels in company are close, others are not."""

    def document(number: int, *pairs: tuple[str, str]) -> Document:
        answer = tuple({"label": label, "text": text} for label, text in pairs)
        labels = ("team", "city", "political party", "politician", "gas")
        return Document(Family.NER, "made", "train", f"text {number}", Schema(labels), answer, "none")

    documents = [
        document(1, ("team", "Lisbon")), document(2, ("city", "Lisbon")), document(3, ("politician", "Ann Boe")),
        document(4, ("political party", "Greens")), document(5, ("gas", "argon")),
    ]  # fmt: skip
    found = confusions(documents)
    assert found.of(documents[0], "team") == ("city",)
    assert found.of(documents[0], "politician") == ("political party",)
    assert found.of(documents[0], "gas") == ()
    assert confusions_of(confusions_row(found)) == found


def test_the_hash_seed_changes_nothing() -> None:
    """Two processes with different PYTHONHASHSEED make the same instructions in the same order."""
    code = (
        "from synth import seeds\n"
        "from synth.instructions import build, confusions\n"
        "from synth.recipe import InstructionSettings\n"
        "found = list(seeds.documents(3, 300))\n"
        "known = confusions(found)\n"
        "print(known, [item.id for item in build(found, InstructionSettings(), known, 5)])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": number}, capture_output=True, text=True, check=True,
        ).stdout
        for number in ("1", "2", "3")
    }  # fmt: skip
    assert len(outputs) == 1
