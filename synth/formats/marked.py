"""The text itself with its mentions marked in place, as in ``[[Ann|person]] flew to [[Lima|city]]``.

Facts have no offsets, so the place of a mention has to follow from the answer. Facts stand in text order; each is the
first occurrence of its words after the mention before it that cuts no word. Where this leaves a doubt (the same words
occur once more in a stretch without a mark) the format does not carry the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from synth.formats.canonical import Answer
from synth.formats.format import Format, ParseError
from synth.records import Family, Instruction

_MARK = re.compile(r"\[\[([^\[\]|]+)\|([^\[\]|]+)\]\]")
_SIGNS = re.compile(r"\[\[|\]\]|\|")
_PLAIN = re.compile(r"[^\[\]|]+")


def _find(words: str, text: str, position: int, end: int | None = None) -> int | None:
    """Where words occur next without cutting a word of ASCII letters or digits."""
    start = text.find(words, position, end)
    while start >= 0 and (_joined(text, start) or _joined(text, start + len(words))):
        start = text.find(words, start + 1, end)
    return start if start >= 0 else None


def _joined(text: str, place: int) -> bool:
    """Whether two ASCII letters or digits meet at a place."""
    around = text[max(place - 1, 0) : place + 1]
    return 0 < place < len(text) and around.isascii() and around.isalnum()


def _places(asked: Instruction) -> list[tuple[int, int, str]] | None:
    """Start, end and label of each mention; None where there is a doubt."""
    text, position, places = asked.text.strip(), 0, []
    for fact in asked.answer:
        start = _find(fact["text"], text, position)
        if start is None:
            return None
        position = start + len(fact["text"])
        places.append((start, position, fact["label"]))
    gaps = zip([0, *(end for _, end, _ in places)], [*(start for start, _, _ in places), len(text)], strict=True)
    words = {fact["text"] for fact in asked.answer}
    doubt = any(_find(word, text, start, end) is not None for start, end in gaps for word in words)
    return None if doubt else places


def _write(asked: Instruction) -> str:
    return "".join(_pieces(asked.text.strip(), _places(asked) or []))


def _pieces(text: str, places: list[tuple[int, int, str]]) -> Iterator[str]:
    position = 0
    for start, end, label in places:
        yield f"{text[position:start]}[[{text[start:end]}|{label}]]"
        position = end
    yield text[position:]


def _read(content: str, asked: Instruction) -> Answer:
    text, bare = asked.text.strip(), _MARK.sub(r"\1", content)
    if bare != text:
        same = next((n for n, (one, other) in enumerate(zip(bare, text, strict=False)) if one != other), None)
        place = min(len(bare), len(text)) if same is None else same
        raise ParseError(f"character {place + 1} of the text without marks", "is not as the text has it")
    return tuple({"label": label, "text": words} for words, label in _MARK.findall(content))


def _carries(asked: Instruction) -> bool:
    plain = not _SIGNS.search(asked.text) and all(
        _PLAIN.fullmatch(fact["label"]) and _PLAIN.fullmatch(fact["text"]) for fact in asked.answer
    )
    return plain and _places(asked) is not None


MARKED = Format(
    id="marked",
    families=(Family.NER,),
    limits="texts with [[, ]] or |; mentions that overlap, are not in text order, or whose words occur unmarked too",
    start="line",
    describe=lambda asked: (
        "Answer with the text itself, unchanged, in which every mention is marked with its type: [[mention|type]]. "
        "If there is none, repeat the text as it is."
    ),
    write=_write,
    read=_read,
    carries=_carries,
)
