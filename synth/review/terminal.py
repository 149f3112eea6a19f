"""The same queue in a terminal: one item at a time, one key for each verdict."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from harness.errors import HarnessError
from synth.review.item import Item, Piece, differences, pairs
from synth.review.verdicts import Verdict, VerdictLog

KEYS = "a accept   e edit   r reject   u undo   n next   p previous   q quit"
_COLOURS = {"accept": "green", "reject": "red", "edit": "yellow"}
_WORDS = {"accept": "accepted", "reject": "rejected", "edit": "edited"}


def in_terminal(items: Sequence[Item], log: VerdictLog, reviewer: str, console: Console | None = None) -> int:
    """Review a queue in the terminal, from the first open item on.

    Args:
        items: The queue.
        log: Where verdicts go.
        reviewer: Who reviews.
        console: Where it is shown; None for the terminal.

    Returns:
        How many items of the queue the reviewer has judged in the end.
    """
    console = console or Console()
    said = log.of(reviewer)
    place = next((number for number, item in enumerate(items) if item.id not in said), 0)
    notice = ""
    while items:
        item, said = items[place], log.of(reviewer)
        console.clear()
        console.print(_screen(item, said.get(item.id), (place, len(items)), notice))
        key, notice = click.getchar(), ""
        if key in ("q", "\x04", "\x1b"):
            break
        if key in ("n", "j", "p", "k"):
            place = min(len(items) - 1, max(0, place + (1 if key in "nj" else -1)))
            continue
        try:
            notice, step = _act(key, item, log, reviewer)
        except HarnessError as error:
            notice = str(error)
        else:
            place = min(len(items) - 1, place + step)
    said = log.of(reviewer)
    return sum(item.id in said for item in items)


def _act(key: str, item: Item, log: VerdictLog, reviewer: str) -> tuple[str, int]:
    """Do what a key asks for: what to tell, and how many items to go on."""
    if key == "a":
        log.record(item, "accept", reviewer)
        return "", 1
    if key == "r":
        log.record(item, "reject", reviewer, reason=click.prompt("Why", default="", show_default=False))
        return "", 1
    if key == "u":
        log.record(item, "undo", reviewer)
        return "Taken back.", 0
    if key == "e":
        edited = click.edit(item.text, extension=".yaml") if item.text is not None else ""
        if edited is None:
            return "Nothing was saved.", 0
        log.record(item, "edit", reviewer, edited=edited)
        return "Saved beside the original.", 0
    return f"There is no key {key!r}.", 0


def _screen(item: Item, said: Verdict | None, place: tuple[int, int], notice: str) -> RenderableType:
    number, total = place
    head = Table.grid(expand=True)
    head.add_column()
    head.add_column(justify="right")
    verdict = Text("open", "dim")
    if said is not None:
        reason = f": {said.reason}" if said.reason else ""
        verdict = Text(_WORDS[said.verdict] + reason, _COLOURS[said.verdict])
    head.add_row(Text(item.title, "bold"), Text(f"{number + 1} of {total}  ") + verdict)
    parts: list[RenderableType] = [head, Panel(Text(item.body), border_style="dim")]
    versions = pairs(item.before, item.after) if item.after else []
    if said is not None and said.edited is not None:
        versions = [differences(said.original or "", said.edited)]
    for old, new in versions:
        right = Panel(_marked(new, "green"))
        parts.append(_beside(Panel(_marked(old, "red strike")), right) if old else right)
    if notice:
        parts.append(Text(notice, "yellow"))
    return Group(*parts, Rule(style="dim"), Text(KEYS, "dim"))


def _beside(left: RenderableType, right: RenderableType) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _marked(pieces: Sequence[Piece], style: str) -> Text:
    text = Text()
    for differs, words in pieces:
        text.append(words, style if differs else "")
    return text
