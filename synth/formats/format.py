"""What an answer format is: a renderer and a parser over canonical answers, and the words that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from harness.errors import DataError
from synth.formats.canonical import Answer, canonical, values
from synth.records import Family, Instruction

EXTRACTION = (Family.NER, Family.RE, Family.EE, Family.OPEN_IE)
ALL_BUT_GENERAL = (*EXTRACTION, Family.MRC, Family.TC)


class ParseError(DataError):
    """An answer that is not in its format.

    Args:
        place: Where in the answer, in words (``line 2``, ``person, entry 1``).
        reason: What is wrong there.
    """

    def __init__(self, place: str, reason: str) -> None:
        """Keep the place beside the sentence."""
        super().__init__(f"The answer, {place}", reason, "write it as the format says")
        self.place = place


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write an answer. ``parse(render(asked), asked)`` is the canonical answer wherever ``can(asked)``.

    Attributes:
        id: Name.
        families: Families that it can be asked for.
        limits: What it cannot carry, in words; empty where it carries everything.
        start: Where the answer starts: on the ``line`` that ends the prompt, after a space, or on its own line
            (``block``), for formats whose first line is a row like the others.
        describe: The words of a prompt that ask for it; they may depend on the question, never on the answer.
        write: The text of an answer.
        read: The facts of a stripped text, in any order; raises nothing but ``ParseError``.
        carries: Whether it can hold this answer without loss.
    """

    id: str
    families: tuple[Family, ...]
    limits: str
    start: Literal["line", "block"]
    describe: Callable[[Instruction], str]
    write: Callable[[Instruction], str]
    read: Callable[[str, Instruction], Answer]
    carries: Callable[[Instruction], bool]

    def can(self, asked: Instruction) -> bool:
        """Whether the answer of an instruction can be written in this format and read back unchanged."""
        return asked.family in self.families and all(map(_encodable, values(asked.answer))) and self.carries(asked)

    def render(self, asked: Instruction) -> str:
        """The answer of an instruction in this format.

        Raises:
            DataError: The format cannot carry it.
        """
        if not self.can(asked):
            reason = f"cannot carry this {asked.family} answer" + (f" (not: {self.limits})" if self.limits else "")
            raise DataError(f"Format {self.id}", reason, "ask Format.can first and take another format")
        return self.write(asked)

    def parse(self, text: str, asked: Instruction) -> Answer:
        """The canonical answer that a text gives to an instruction; white space around the text is ignored.

        Args:
            text: A rendered answer, or any text that a model wrote.
            asked: The instruction; its own answer is not looked at.

        Raises:
            ParseError: The text is not in this format; the error names the place.
        """
        return canonical(replace(asked, answer=self.read(text.strip(), asked)))


def anything(asked: Instruction) -> bool:
    """The ``carries`` of a format that has an escape for every character."""
    return True


def one_line(value: str) -> bool:
    """Whether a value has no line break and no white space at its ends, so that a line can hold it as it is."""
    return value == value.strip() and value.splitlines() in ([], [value])


def _encodable(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
