"""Wishes that a program can check, in the manner of IFEval (Zhou et al. 2023, arXiv 2311.07911), strict reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+\S")
_EDGES = " \t\n.!,;:-\"'"
_SENTENCE_END = re.compile(r"[.!?]+[\"')]*(?=\s|$)")


def followed(check: Mapping[str, Any], answer: str) -> bool:
    """Whether an answer fulfils a wish; an empty one fulfils none.

    Args:
        check: Names of checks (``CHECKS``) with what they ask for; all have to hold.
        answer: The generated text; white space around it is ignored.
    """
    text = answer.strip()
    return bool(text) and all(CHECKS[name](text, wanted) for name, wanted in check.items())


def sentences(text: str) -> int:
    """Sentences of a text: stops that end a word, and one more in each line where text follows the last of them.

    A stop inside a number or before a letter ends none. An abbreviation does; no prompt asks for a text that needs one.
    """
    return sum(map(_sentences_of_line, _lines(text)))


def _sentences_of_line(line: str) -> int:
    ends = [found.end() for found in _SENTENCE_END.finditer(line)]
    return len(ends) + bool(line[ends[-1] if ends else 0 :].strip())


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _words_of(text: str) -> list[str]:
    return [word for word in (part.strip(_EDGES + "?()") for part in text.split()) if word]


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None


def _in_case(text: str, case: str) -> bool:
    other = str.islower if case == "upper" else str.isupper
    return any(map(str.isalpha, text)) and not any(map(other, text))


def _one_of(text: str, words: Sequence[str]) -> bool:
    return text.strip(_EDGES).casefold() in words


def _ends(text: str, end: str) -> bool:
    return text.endswith(end) if not end[-1].isalnum() else text.rstrip(_EDGES).casefold().endswith(end.casefold())


def _quoted(text: str, wanted: bool) -> bool:
    return (len(text) > 2 and text[0] in '"“' and text[-1] in '"”') == wanted


CHECKS: Mapping[str, Callable[[str, Any], bool]] = {
    "words": lambda text, count: len(_words_of(text)) == count,
    "most_words": lambda text, count: len(_words_of(text)) <= count,
    "least_words": lambda text, count: len(_words_of(text)) >= count,
    "sentences": lambda text, count: sentences(text) == count,
    "paragraphs": lambda text, count: len(re.split(r"\n\s*\n", text)) == count,
    "lines": lambda text, count: len(_lines(text)) == count,
    "items": lambda text, count: sum(map(bool, map(_ITEM.match, _lines(text)))) == count,
    "case": _in_case,
    "one_of": _one_of,
    "equals": lambda text, wanted: text == wanted,
    "begins": lambda text, word: re.match(rf"{re.escape(word)}\b", text) is not None,
    "ends": _ends,
    "holds": lambda text, words: all(_has_word(text, word) for word in words),
    "lacks": lambda text, parts: not any(part in text.casefold() for part in parts),
    "digits": lambda text, wanted: any(map(str.isdigit, text)) == wanted,
    "quoted": _quoted,
}
"""Each check by its name: text and what is asked for to whether it holds."""
