"""What ``harness contamination`` prints: tasks whose items stand in the corpus, examples side by side, scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.contamination.tally import LEVELS
from harness.show import interval, percent, plural, safe, show_notes, signed, stdout

_EXAMPLES = 3


def show_contamination(document: Mapping[str, Any], files: Sequence[str]) -> None:
    """Print what was found, and where the files of it are."""
    show_notes(list(_notes(document)))
    console = stdout()
    corpus = document["corpus"]
    title = f"{safe(corpus['name'])}: {plural(corpus['rows'], 'row')} of {plural(len(corpus['files']), 'file')}"
    touched = [task for task in document["tasks"] if task["levels"]["8-gram"]["items"]]
    if touched:
        console.print(_overlap_table(touched, title))
    else:
        console.print(title)
    if untouched := len(document["tasks"]) - len(touched):
        console.print(f"[dim]{plural(untouched, 'task')} without any[/dim]")
    if examples := _worst(touched):
        console.print(_example_table(examples))
    if document["runs"] is not None:
        _show_scores(document["runs"])
    for sentence in document["sentences"]:
        console.print(f"\n{escape(sentence)}")
    console.print(
        "\n[dim]13-gram: a run of 13 words or a whole test text. 8-gram: a run of 8, a hint. Paraphrase and "
        "translation are not found.[/dim]"
    )
    for path in files:
        console.print(escape(path), soft_wrap=True)


def _notes(document: Mapping[str, Any]) -> Iterator[str]:
    missing = document["not_checked"]
    for task in missing[:5]:
        yield f"{task['task']} was not checked: {task['reason']}"
    if len(missing) > 5:
        yield f"{plural(len(missing) - 5, 'more task')} not checked either; contamination.json lists them"
    for one in (document["runs"] or {}).get("left_out", ())[:5]:
        yield f"{one['name']}: no score on clean items, because {one['reason']}"


def _overlap_table(tasks: Sequence[Mapping[str, Any]], title: str) -> Table:
    table = Table("Task", "Split", "Items", "Whole text", "Sentence", "13-gram", "Share, 95 %", "8-gram", "Rows",
                  title=title, title_justify="left", box=None)  # fmt: skip
    for column in table.columns[2:]:
        column.justify = "right"
    for task in tasks:
        counts = {level: f"{task['levels'][level]['items']:,}" for level in LEVELS}
        head = task["levels"]["13-gram"]
        style = "bold" if head["items"] else "dim"
        share = f"{percent(head['share'])} % ({interval(head['interval'])})"
        table.add_row(
            escape(task["task"]), escape(task["split"]), f"{task['items']:,}", counts["text"], counts["sentence"],
            f"[{style}]{counts['13-gram']}[/{style}]", share, counts["8-gram"], f"{head['rows']:,}",
        )  # fmt: skip
    return table


def _worst(tasks: Sequence[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """The longest stretches, of as many tasks as there are lines."""
    best = [(task["task"], task["examples"][0]) for task in tasks if task["examples"]]
    return sorted(best, key=lambda pair: -pair[1]["words"])[:_EXAMPLES]


def _example_table(examples: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    table = Table("Item, row", "In the corpus", "In the test item", title="Longest", title_justify="left",
                  show_lines=True)  # fmt: skip
    for task, example in examples:
        place = f"{example['file']}:{example['row']}"
        where = f"{escape(task)} {example['doc_id']}\n[dim]{safe(place, 40)}\n{plural(example['words'], 'word')}[/dim]"
        table.add_row(where, _marked(example["trained"]), _marked(example["tested"]))
    return table


def _marked(excerpt: Mapping[str, str]) -> str:
    return f"{safe(excerpt['before'])}[bold]{safe(excerpt['shared'])}[/bold]{safe(excerpt['after'])}"


def _show_scores(runs: Mapping[str, Any]) -> None:
    rows = [*runs["suites"], *(task for task in runs["tasks"] if task["touched"])]
    if rows:
        console = stdout()
        console.print()
        console.print(_gain_table(rows) if runs["baseline"] else _score_table(rows))


def _score_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Suite, task", "Items", "Touched", "All", "Clean", "Touched ones", "Clean − all", "95 % interval")
    for row in rows:
        run = row["candidate"]
        touched = "" if run["touched"] is None else percent(run["touched"])
        table.add_row(
            escape(row["name"]), f"{row['items']:,}", f"{row['touched']:,}", percent(run["full"]),
            percent(run["clean"]), touched, *_change(run["change"]),
        )  # fmt: skip
    return table


def _gain_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("Suite, task", "Items", "Touched", "Δ all", "95 % interval", "Δ clean", "95 % interval",
                   "Difference", "95 % interval")  # fmt: skip
    for row in rows:
        changes = (cell for part in ("full", "clean", "change") for cell in _change(row["gain"][part]))
        table.add_row(escape(row["name"]), f"{row['items']:,}", f"{row['touched']:,}", *changes)
    return table


def _table(*names: str) -> Table:
    table = Table(*names, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _change(change: Mapping[str, Any]) -> tuple[str, str]:
    low, high = change["interval"]
    if change["standard_error"] == 0:
        return "none", "no item touched"
    return signed(change["delta"]), "unknown" if low is None or high is None else f"{signed(low)} to {signed(high)}"
