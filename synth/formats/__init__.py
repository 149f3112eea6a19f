"""Answer formats and prompt wordings: deterministic, without a model, every format with its parser."""

from synth.formats.canonical import Answer, canonical
from synth.formats.example import example
from synth.formats.format import Format, ParseError
from synth.formats.phrasings import Phrasing, held_out_phrasings, phrasings, train_phrasings
from synth.formats.registry import FORMATS, basic_format, held_out_formats, train_formats

__all__ = [
    "FORMATS",
    "Answer",
    "Format",
    "ParseError",
    "Phrasing",
    "basic_format",
    "canonical",
    "example",
    "held_out_formats",
    "held_out_phrasings",
    "phrasings",
    "train_formats",
    "train_phrasings",
]
