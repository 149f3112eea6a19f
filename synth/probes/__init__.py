"""Probe suites: the same documents asked in another way, so that what training did to a model can be measured.

    rows of a card --documents--> Instruction --variants--> prompt --reading--> facts --counting--> counts

Prompt and gold answer are made by the code that makes training examples (``synth.formats``, ``synth.rules``). The
answer is read with the format's own parser and counted by the functions of the harness's own cards.
"""

from pathlib import Path


def folder() -> Path:
    """Where the cards and suites lie, for the entry-point group ``harness.suites``."""
    return Path(__file__).with_name("cards")
