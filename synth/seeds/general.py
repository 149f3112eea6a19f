"""Tasks with one right answer: tables of facts and words, sums, lists, and sentences to work on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from synth.draws import Draws
from synth.seeds.frames import domains, passage, read_yaml

GENERAL = "general"
_OPTIONS = 4

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words, and how they are asked about.

    Attributes:
        ask: Wordings; ``{0}`` and so on are columns of a row.
        choose: Wordings with ``{options}``: answers of other rows, mixed with the right one.
        answer: Column that answers.
        rows: The rows.
    """

    ask: tuple[str, ...]
    choose: tuple[str, ...]
    answer: int
    rows: tuple[tuple[str, ...], ...]


def task(draws: Draws) -> tuple[str, str]:
    """An instruction with its input, and the answer."""
    tables, wordings = _content()
    if draws.below(2):
        instruction, answer = _asked(draws.pick(tables), draws)
    else:
        name = draws.pick(tuple(_COMPUTED))
        fields = _COMPUTED[name](draws)
        instruction, answer = draws.pick(wordings[name]).format(**fields), str(fields["answer"])
    return instruction[0].upper() + instruction[1:], answer


def _asked(table: Table, draws: Draws) -> tuple[str, str]:
    row = draws.pick(table.rows)
    wanted = row[table.answer]
    if not table.choose or draws.below(2):
        return draws.pick(table.ask).format(*row), wanted
    others = [other[table.answer] for other in draws.sample(table.rows, 3 * _OPTIONS)]
    wrong = [other for other in dict.fromkeys(others) if other != wanted][: _OPTIONS - 1]
    options = ", ".join(draws.shuffled([wanted, *wrong]))
    return draws.pick(table.choose).format(*row, options=options), wanted


@cache
def _content() -> tuple[tuple[Table, ...], Mapping[str, Sequence[str]]]:
    content = read_yaml("general.yaml")
    tables = tuple(
        Table(
            tuple(table["ask"]), tuple(table.get("choose", ())), table.get("answer", 1),
            tuple(tuple(str(word) for word in row) for row in table["rows"]),
        )
        for table in content["tables"].values()
    )  # fmt: skip
    return tables, content["computed"]


@cache
def _words() -> tuple[str, ...]:
    return tuple(read_yaml("general.yaml")["words"])


def _sum(draws: Draws) -> Fields:
    one, other = draws.below(90) + 2, draws.below(90) + 2
    return {"one": one, "other": other, "answer": one + other}


def _difference(draws: Draws) -> Fields:
    less, rest = draws.below(90) + 1, draws.below(90) + 1
    return {"more": less + rest, "less": less, "answer": rest}


def _product(draws: Draws) -> Fields:
    one, other = draws.below(11) + 2, draws.below(11) + 2
    return {"one": one, "other": other, "answer": one * other}


def _share(draws: Draws) -> Fields:
    parts, each = draws.below(8) + 2, draws.below(11) + 2
    return {"total": parts * each, "parts": parts, "answer": each}


def _series(draws: Draws) -> Fields:
    start, step = draws.below(30), draws.below(9) + 1
    shown = ", ".join(str(start + step * place) for place in range(4))
    return {"shown": shown, "answer": start + 4 * step}


def _largest(draws: Draws) -> Fields:
    numbers = [draws.below(500) for _ in range(4 + draws.below(3))]
    return {"numbers": ", ".join(map(str, numbers)), "answer": max(numbers)}


def _smallest(draws: Draws) -> Fields:
    numbers = [draws.below(500) for _ in range(4 + draws.below(3))]
    return {"numbers": ", ".join(map(str, numbers)), "answer": min(numbers)}


def _alphabetical(draws: Draws) -> Fields:
    words = draws.sample(_words(), 3 + draws.below(4))
    return {"words": ", ".join(words), "answer": ", ".join(sorted(words))}


def _reversed(draws: Draws) -> Fields:
    words = draws.sample(_words(), 3 + draws.below(4))
    return {"words": ", ".join(words), "answer": ", ".join(reversed(words))}


def _counted(draws: Draws) -> Fields:
    words = draws.sample(_words(), 3 + draws.below(8))
    return {"words": ", ".join(words), "answer": len(words)}


def _longest(draws: Draws) -> Fields:
    words = sorted(draws.sample(_words(), 8), key=len)
    shorter = [word for word in words if len(word) < len(words[-1])][:4]
    return {"words": ", ".join(draws.shuffled([*shorter, words[-1]])), "answer": words[-1]}


def _missing(draws: Draws) -> Fields:
    words = draws.sample(_words(), 5)
    gone = words[draws.below(5)]
    rest = draws.shuffled([word for word in words if word != gone])
    return {"words": ", ".join(words), "rest": ", ".join(rest), "answer": gone}


def _position(draws: Draws) -> Fields:
    words, place = draws.sample(_words(), 5), draws.below(5)
    return {
        "words": ", ".join(words),
        "place": ("first", "second", "third", "fourth", "last")[place],
        "answer": words[place],
    }


def _letters(draws: Draws) -> Fields:
    word = draws.pick(_words())
    return {"word": word, "answer": len(word)}


def _initials(draws: Draws) -> Fields:
    words = draws.sample(_words(), 3 + draws.below(3))
    return {"words": " ".join(words), "answer": "".join(word[0] for word in words)}


def _capitals(draws: Draws) -> Fields:
    words = " ".join(draws.sample(_words(), 2 + draws.below(3)))
    return {"words": words, "answer": words.upper()}


def _second_sentence(draws: Draws) -> Fields:
    sentences = passage(draws.pick(domains()), 3, draws)
    return {"text": " ".join(sentence.text for sentence in sentences), "answer": sentences[1].text}


def _last_sentence(draws: Draws) -> Fields:
    sentences = passage(draws.pick(domains()), 2 + draws.below(2), draws)
    return {"text": " ".join(sentence.text for sentence in sentences), "answer": sentences[-1].text}


_COMPUTED: Mapping[str, Callable[[Draws], Fields]] = {
    "sum": _sum, "difference": _difference, "product": _product, "share": _share, "series": _series,
    "largest": _largest, "smallest": _smallest, "alphabetical": _alphabetical, "reversed": _reversed,
    "counted": _counted, "longest": _longest, "missing": _missing, "position": _position, "letters": _letters,
    "initials": _initials, "capitals": _capitals, "second_sentence": _second_sentence, "last_sentence": _last_sentence,
}  # fmt: skip
