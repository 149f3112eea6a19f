"""Readers of seed data: a made-up mirror, a user's file, the grammar, and what each refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from harness.errors import DataError, HarnessError, MissingInputError, UsageError
from synth.recipe import Source
from synth.records import Document, Family
from synth.sources import StandInWarning, read, registry
from synth.sources import readers as reader_functions
from synth.sources import tasks as task_functions

PEOPLE = {
    "tokens": ["Ada", "Hill", "works", "for", "Coral", "in", "Rome"],
    "entities": [
        {"type": "Peop", "start": 0, "end": 2},
        {"type": "Org", "start": 4, "end": 5},
        {"type": "Loc", "start": 6, "end": 7},
    ],
    "relations": [{"type": "Work_For", "head": 0, "tail": 1}],
}  # fmt: skip


def put(mirror: Path, name: str, rows: list[dict[str, Any]], split: str = "train", features: Any = None) -> None:
    """Add a data set of one split to a mirror; a configuration may stand after a colon."""
    name, _, config = name.partition(":")
    folder = mirror / name
    folder.mkdir(parents=True)
    Dataset.from_list(rows, features=features).to_parquet(folder / f"{split}.parquet")
    files = f"  data_files:\n  - split: {split}\n    path: {split}.parquet\n"
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: {config or 'default'}\n{files}---\n", encoding="utf-8"
    )


def documents(mirror: Path, name: str, **settings: Any) -> list[Document]:
    """All documents of a data set."""
    return list(read(Source(dataset=name, **settings), 0, mirror))


def test_relations_and_entities_of_one_data_set(tmp_path: Path) -> None:
    """The registry says which families a data set has; labels are words, and the label set is that of the split."""
    put(tmp_path, "DFKI-SLT/conll04", [PEOPLE])
    (relation,) = documents(tmp_path, "conll04")
    assert relation.text == "Ada Hill works for Coral in Rome"
    assert relation.answer == ({"label": "works for", "head": "Ada Hill", "tail": "Coral"},)
    assert (relation.family, relation.source, relation.split) == (Family.RE, "DFKI-SLT/conll04", "train")
    (entities,) = documents(tmp_path, "DFKI-SLT/conll04", family="ner")
    assert [fact["label"] for fact in entities.answer] == ["person", "organization", "location"]
    assert entities.schema.labels == ("location", "organization", "person")


def test_tags_that_continue_nothing_begin_an_entity(tmp_path: Path) -> None:
    """BIO tags are read as conlleval reads them, and label names come from the columns' features."""
    names = ["O", "B-person", "I-person", "B-misc", "I-misc"]
    features = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=names))})
    rows = [{"tokens": ["Bo", "Lee", "saw", "Swedes", "Ann"], "ner_tags": [1, 2, 0, 4, 2]}]
    put(tmp_path, "DFKI-SLT/cross_ner:ai", rows, features=features)
    (document,) = documents(tmp_path, "DFKI-SLT/cross_ner", config="ai")
    assert [(fact["label"], fact["text"]) for fact in document.answer] == [
        ("person", "Bo Lee"), ("miscellaneous", "Swedes"), ("person", "Ann"),
    ]  # fmt: skip


def test_events_are_in_the_order_of_their_triggers(tmp_path: Path) -> None:
    """Event types and roles become words; the roles of a type are those that the split uses."""
    mention = {
        "event_subtype": "Databreach",
        "trigger": {"text": "stole", "start": 8, "end": 13},
        "arguments": [{"role": "Compromised-Data", "text": "files"}],
    }
    early = {"event_subtype": "Ransom", "trigger": {"text": "They", "start": 0, "end": 4}, "arguments": []}
    put(tmp_path, "local/casie", [{"text": "They of X stole files", "event_mentions": [mention, early]}])
    (document,) = documents(tmp_path, "casie")
    assert [fact["trigger"] for fact in document.answer] == ["They", "stole"]
    assert document.answer[1]["arguments"] == [{"role": "compromised data", "text": "files"}]
    assert document.schema.roles == {"data breach": ("compromised data",)}


def test_questions_keep_passages_together(tmp_path: Path) -> None:
    """Rows of one passage share a key; a question without an answer is unanswerable."""
    rows = [
        {"context": "Bees dance.", "question": "Who dances?", "answers": {"text": ["Bees"], "answer_start": [0]}},
        {"context": "Bees dance.", "question": "Who sings?", "answers": {"text": [], "answer_start": []}},
    ]
    put(tmp_path, "rajpurkar/squad_v2", rows)
    with pytest.warns(StandInWarning, match="2 of 130319"):
        answered, silent = documents(tmp_path, "squad_v2")
    assert answered.answer == ({"text": "Bees"},)
    assert silent.answer == ()
    assert answered.key == silent.key != ""


def test_options_and_yes_no_are_the_labels_of_a_question(tmp_path: Path) -> None:
    """A closed question shows its answers in the schema."""
    put(tmp_path, "dataset-org/c3:dialog", [{
        "documents": ["甲", "乙"],
        "questions": [{"question": "谁?", "answer": "甲", "choice": ["甲", "乙", "甲"]}],
    }])  # fmt: skip
    (document,) = documents(tmp_path, "c3", config="dialog")
    assert document.schema.labels == ("甲", "乙")
    put(tmp_path, "google/boolq", [{"question": "is it so", "answer": True, "passage": "It is so."}])
    with pytest.warns(StandInWarning):
        (document,) = documents(tmp_path, "google/boolq")
    assert (document.question, document.answer) == ("Is it so?", ({"text": "yes"},))


def test_running_text_is_continued_in_pieces(tmp_path: Path) -> None:
    """Pieces of 80 words show 20 and ask for 60, one after another; a rest that is too short is left out."""
    words = [f"w{number}" for number in range(170)]
    put(tmp_path, "local/gutenberg_en", [{"text": "\n".join(words)}])
    first, second = documents(tmp_path, "local/gutenberg_en")
    assert first.text == "Continue the text.\n" + " ".join(words[:20])
    assert first.answer == ({"text": " ".join(words[20:80])},)
    assert second.text.endswith(" ".join(words[80:100]))
    assert first.family is Family.GENERAL
    assert first.key == second.key


def test_iepile_batches_of_one_text_are_joined(tmp_path: Path) -> None:
    """Records of one text become one document whose schema holds only the labels that were annotated in it."""

    def row(labels: list[str], found: dict[str, list[str]]) -> dict[str, str]:
        asked = {"instruction": "x", "schema": labels, "input": "Ada in Rome"}
        return {"task": "NER", "instruction": json.dumps(asked), "output": json.dumps(found)}

    put(tmp_path, "local/iepile_samples", [row(["person"], {"person": ["Ada"]}), row(["place"], {"place": ["Rome"]})])
    (document,) = documents(tmp_path, "local/iepile_samples")
    assert document.schema.labels == ("person", "place")
    assert [fact["text"] for fact in document.answer] == ["Ada", "Rome"]


def test_a_limit_is_a_seeded_sample_in_the_order_of_the_data(tmp_path: Path) -> None:
    """The same seed gives the same documents, another seed others, and the label set does not shrink."""
    put(tmp_path, "stanfordnlp/imdb", [{"text": f"film {number}", "label": number % 2} for number in range(40)])
    source = Source(dataset="imdb", limit=6)
    one, again, other = (list(read(source, seed, tmp_path)) for seed in (1, 1, 2))
    assert one == again != other
    assert [int(d.text.split()[1]) for d in one] == sorted(int(d.text.split()[1]) for d in one)
    assert one[0].schema.labels == ("negative", "positive")


@pytest.mark.parametrize("split", ["test", "validation", "dev", "val_wiki", "matched_validation"])
def test_scored_splits_are_refused(split: str) -> None:
    """A model must not learn what it is scored on."""
    with pytest.raises(UsageError, match="scored"):
        list(read(Source(dataset="thunlp/few_rel", split=split), 0, None))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Source(dataset="stanfordnlp/imbd"), "did you mean stanfordnlp/imdb"),
        (Source(dataset="sst2"), "stanfordnlp/sst2 or SetFit/sst2"),
        (Source(dataset="imdb", family=Family.NER), "not annotated for ner"),
        (Source(dataset="nyu-mll/glue", config="rte"), "use one of sst2"),
        (Source(dataset="cardiffnlp/tweet_eval"), "is needed"),
        (Source(), "neither"),
        (Source(dataset="seeds"), "has no end"),
    ],
)
def test_what_cannot_be_read_is_said(source: Source, sentence: str) -> None:
    """Unknown ids, families and configurations are errors with the names that would do."""
    with pytest.raises(UsageError, match=sentence):
        list(read(source, 0, None))


def test_a_split_that_neither_mirror_nor_hub_has(tmp_path: Path) -> None:
    """A mirror with the test split alone sends the reader to the hub, and the message says what is missing where."""
    put(tmp_path, "fancyzhx/ag_news", [{"text": "x", "label": 0}], split="test")
    with pytest.raises(MissingInputError, match="Split train of fancyzhx/ag_news: is not in the mirror"):
        documents(tmp_path, "ag_news")


def test_wrong_columns_are_said_by_row(tmp_path: Path) -> None:
    """A mirror whose columns differ from the hub's is an error that names data set, row and column."""
    put(tmp_path, "openai/gsm8k", [{"frage": "x"}])
    with pytest.raises(DataError, match=r"gsm8k, row 0: .*answer"):
        documents(tmp_path, "gsm8k")


def test_the_grammar_is_a_source() -> None:
    """``seeds`` takes a limit, a family and a domain."""
    found = list(read(Source(dataset="seeds", config="business", family=Family.RE, limit=7), 3, None))
    assert {(document.family, document.source) for document in found} == {(Family.RE, "seeds/business")}
    assert len(found) == 7


def test_every_reader_of_the_registry_exists() -> None:
    """The registry names functions that are there."""
    for name, entry in registry().items():
        for reader in entry.readers.values():
            assert hasattr(reader_functions, reader) or hasattr(task_functions, reader), (name, reader)


GOOD = [
    {"text": "Ada in Rome", "entities": [
        {"label": "place", "start": 7, "end": 11}, {"label": "person", "text": "Ada", "start": 0, "end": 3},
    ]},
    {"text": "Ada likes Bo", "relations": [{"label": "likes", "head": "Ada", "tail": "Bo"}]},
    {"text": "Ada met Bo", "events": [
        {"label": "meeting", "trigger": "met", "arguments": [{"role": "participant", "text": "Ada"}]},
    ]},
    {"text": "Ada met Bo", "question": "Whom did Ada meet?", "answers": ["Bo"], "key": "p1"},
    {"text": "Ada met Bo", "question": "When?", "answers": [], "key": "p1"},
    {"text": "Ada met Bo", "question": "Did they meet?", "answers": ["yes"], "options": ["yes", "no"]},
    {"text": "I am glad", "label": "joy"},
    {"text": "I am sad", "label": "grief", "licence": "CC0-1.0"},
    {"text": "Add 1 and 2", "answer": "3"},
]  # fmt: skip


def written(folder: Path, *lines: Any) -> Path:
    """A JSON-lines file."""
    path = folder / "mine.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_a_users_file_with_every_family(tmp_path: Path) -> None:
    """The family is told by the fields; entities come in text order; labels are collected over the whole file."""
    found = list(read(Source(file=written(tmp_path, *GOOD, "")), 0, None))
    assert [document.family for document in found] == [
        Family(name) for name in ["ner", "re", "ee", "mrc", "mrc", "mrc", "tc", "tc", "general"]
    ]
    assert [fact["text"] for fact in found[0].answer] == ["Ada", "Rome"]
    assert found[2].schema.roles == {"meeting": ("participant",)}
    assert found[3].key == found[4].key != ""
    assert found[5].schema.labels == ("yes", "no")
    assert found[6].schema.labels == ("joy", "grief")
    assert (found[0].source, found[7].licence) == ("mine.jsonl", "CC0-1.0")


def test_a_sample_of_a_users_file(tmp_path: Path) -> None:
    """A limit draws by the seed and keeps the order of the file."""
    path = written(tmp_path, *({"text": f"t{number}", "label": "a"} for number in range(30)))
    one, again = (list(read(Source(file=path, limit=5), 4, None)) for _ in range(2))
    assert one == again
    assert len(one) == 5


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"text": "x"', "line 2: is no JSON"),
        ("[1]", "line 2: is no JSON object"),
        ({"text": "x"}, "line 2: has none of the fields"),
        ({"passage": "x", "label": "a"}, "field text: is missing: the line has passage, label; a line of family tc"),
        ({"text": "x", "family": "poetry"}, "field family: is unknown"),
        ({"text": " ", "label": "a"}, "field text: is wrong"),
        ({"text": "x", "label": "a", "sentiment": 1}, "field sentiment: is wrong"),
        ({"text": "x", "entities": [{"label": "a"}]}, r"field entities.0: is wrong \(give text"),
        ({"text": "x", "entities": [{"label": "a", "start": 0}]}, "give both start and end"),
        ({"text": "Rome", "entities": [{"label": "a", "start": 2, "end": 9}]}, "entities.0: lies outside the text"),
        ({"text": "Rome", "entities": [{"label": "a", "start": 2, "end": 2}]}, "lies outside"),
        ({"text": "Rome", "entities": [{"label": "a", "text": "Ro", "start": 0, "end": 3}]}, "says 'Ro' where"),
        ({"text": "Rome", "entities": [{"label": "a", "text": "Oslo"}]}, "entities.0.text: is not in the text"),
        ({"text": "abcdef", "entities": [
            {"label": "a", "start": 0, "end": 4}, {"label": "b", "start": 2, "end": 6},
        ]}, "overlaps entities.0"),
        ({"text": "Ada", "relations": [{"label": "a", "head": "Ada", "tail": "Bo"}]}, "relations.0.tail: is not in"),
        ({"text": "Ada", "events": [{"label": "a", "trigger": "met"}]}, "events.0.trigger: is not in"),
        ({"text": "Ada", "question": "Who?", "answers": ["Bo"]}, "answers.0: is not in"),
        ({"text": "Ada", "question": "Who?", "answers": ["Bo"], "options": ["Cy"]}, "is none of the options"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_by_number_and_field(tmp_path: Path, line: Any, sentence: str) -> None:
    """Nothing of a file with one wrong line is used, and the message says where and what to do."""
    path = written(tmp_path, {"text": "fine", "label": "a"}, line)
    found: list[Document] = []
    with pytest.raises(DataError, match=sentence) as caught:
        found.extend(read(Source(file=path), 0, None))
    assert found == []
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "has no line"), (b"\xff\xfe{}", "is not UTF-8"), (None, "is not there")]
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """Empty, binary and absent files are errors in words."""
    path = tmp_path / "mine.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError, match=sentence):
        list(read(Source(file=path), 0, None))


@pytest.mark.realdata
def test_a_validation_split_that_no_card_scores(mirror: Path) -> None:
    """FewRel's New York Times set is allowed by the registry; its labels are words."""
    found = list(read(Source(dataset="few_rel", split="val_nyt", limit=200), 0, mirror))
    assert len(found) == 200
    assert {document.split for document in found} == {"val_nyt"}
    assert all(fact["head"] in document.text for document in found for fact in document.answer)


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::synth.sources.StandInWarning")
@pytest.mark.parametrize(
    ("name", "config", "family", "least"),
    [
        ("DFKI-SLT/conll04", None, "re", 900), ("DFKI-SLT/conll04", None, "ner", 900),
        ("DFKI-SLT/cross_ner", "science", "ner", 200), ("local/casie", None, "ee", 700),
        ("local/geneva", None, "ee", 1900), ("local/iepile_samples", None, "re", 5),
        ("rajpurkar/squad_v2", None, "mrc", 4), ("google/boolq", None, "mrc", 32),
        ("dataset-org/c3", "dialog", "mrc", 5000),
        ("cardiffnlp/tweet_eval", "emoji", "tc", 10000), ("stanfordnlp/imdb", None, "tc", 8000),
        ("allenai/ai2_arc", "ARC-Easy", "general", 2000), ("openai/gsm8k", None, "general", 7000),
        ("allenai/openbookqa", None, "general", 4900), ("allenai/winogrande", "winogrande_m", "general", 2500),
        ("local/t0_train_50k", None, "general", 9000), ("yizhongw/self_instruct", None, "general", 175),
        ("local/llamafactory_demo", "alpaca_zh_demo", "general", 1000), ("local/gutenberg_en", None, "general", 50000),
    ],
)  # fmt: skip
def test_train_splits_of_the_mirror(mirror: Path, name: str, config: str | None, family: Family, least: int) -> None:
    """Every row of the train splits becomes a document whose labels are in its schema."""
    found = list(read(Source(dataset=name, config=config, family=family), 0, mirror))
    assert len(found) >= least
    for document in found:
        assert document.text.strip()
        if document.schema.labels and document.family is not Family.MRC:
            assert {fact["label"] for fact in document.answer} <= set(document.schema.labels)
