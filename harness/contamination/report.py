"""``contamination.md``: the check as a page for people. It quotes third parties and is not for publishing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contamination.tally import LEVELS
from harness.show import interval, percent, signed
from harness.show.markdown import escaped

_HEADER = ("Task", "Split", "Items", "Whole text", "Sentence", "13-gram", "Share (95 % interval)", "8-gram",
           "Training rows")  # fmt: skip


def page_of(document: Mapping[str, Any]) -> str:
    """The page of a document of a check."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    corpus = document["corpus"]
    yield f"# Contamination: {escaped(corpus['name'])}\n"
    for sentence in document["sentences"]:
        yield f"- {escaped_line(sentence)}"
    yield ""
    yield (
        f"{corpus['rows']:,} rows with {corpus['texts']:,} texts, digest `{corpus['digest'][:12]}`, method "
        f"{document['method']}. 13-gram: a run of 13 words, or a whole test text. 8-gram: a run of 8 words, a hint. "
        "Paraphrase and translation are not found.\n"
    )
    yield from _table(_HEADER, [_task(task) for task in document["tasks"]])
    yield from _scores(document["runs"])
    if document["not_checked"]:
        yield "## Not checked\n"
        rows = [(task["task"], task["reason"]) for task in document["not_checked"]]
        yield from _table(("Task", "Why"), [[escaped(cell) for cell in row] for row in rows])
    yield from _examples(document["tasks"])


def escaped_line(text: str) -> str:
    """A sentence of ours, which may be long and holds names of strangers."""
    return " ".join(escaped(word) for word in text.split())


def _task(task: Mapping[str, Any]) -> list[str]:
    head = task["levels"]["13-gram"]
    counts = {level: f"{task['levels'][level]['items']:,}" for level in LEVELS}
    share = f"{percent(head['share'])} % ({interval(head['interval'])})"
    name, split = escaped(task["task"]), escaped(task["split"])
    return [name, split, f"{task['items']:,}", counts["text"], counts["sentence"], counts["13-gram"], share,
            counts["8-gram"], f"{head['rows']:,}"]  # fmt: skip


def _scores(runs: Mapping[str, Any] | None) -> Iterator[str]:
    if runs is None:
        return
    yield "## Scores on clean items\n"
    yield f"Candidate `{runs['candidate'][:12]}`" + (
        f", baseline `{runs['baseline'][:12]}`" if runs["baseline"] else ""
    )
    yield ""
    rows = [*runs["suites"], *(task for task in runs["tasks"] if task["touched"])]
    if runs["baseline"]:
        header = ("Suite, task", "Items", "Touched", "Change on all", "Change on clean", "Difference")
        yield from _table(header, [_gain(row) for row in rows])
    else:
        header = ("Suite, task", "Items", "Touched", "Score on all", "Score on clean", "Clean − all")
        yield from _table(header, [_score(row) for row in rows])
    for one in runs["left_out"]:
        yield f"- {escaped(one['name'])}: {escaped_line(one['reason'])}"
    yield ""


def _score(row: Mapping[str, Any]) -> list[str]:
    run = row["candidate"]
    return [*_counted(row), percent(run["full"]), percent(run["clean"]), _change(run["change"])]


def _gain(row: Mapping[str, Any]) -> list[str]:
    return [*_counted(row), *(_change(row["gain"][part]) for part in ("full", "clean", "change"))]


def _counted(row: Mapping[str, Any]) -> list[str]:
    return [escaped(row["name"]), f"{row['items']:,}", f"{row['touched']:,}"]


def _change(change: Mapping[str, Any]) -> str:
    low, high = change["interval"]
    if change["standard_error"] == 0:
        return "none: no item touched"
    ends = "unknown" if low is None or high is None else f"{signed(low)} to {signed(high)}"
    return f"{signed(change['delta'])} ({ends})"


def _examples(tasks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    shown = [task for task in tasks if task["examples"]]
    if shown:
        yield "## Longest stretches\n"
        yield "Excerpts of third parties' texts: for your eyes, not for publishing.\n"
    for task in shown:
        yield f"### {escaped(task['task'])}\n"
        rows = [
            [f"{example['doc_id']} ({escaped(example['kind'])})", f"{escaped(example['file'])}:{example['row']}",
             f"{example['words']:,}", _marked(example["trained"]), _marked(example["tested"])]
            for example in task["examples"]
        ]  # fmt: skip
        yield from _table(("Item", "Training row", "Words", "In the corpus", "In the test item"), rows)


def _marked(excerpt: Mapping[str, str]) -> str:
    parts = (escaped(excerpt["before"]), f"**{escaped(excerpt['shared'])}**", escaped(excerpt["after"]))
    return " ".join(part for part in parts if part)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
