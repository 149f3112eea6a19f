"""The filter of languages, by py3langid (naive Bayes over byte n-grams; deterministic)."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.errors import UsageError
from synth.filters.filter import Check, Filter, Work
from synth.records import Annotation, Example

SURE = 0.8
"""Probability of a language from which on it counts as recognised."""

SMALL = 0.1
"""Probability of all languages of the recipe together below which a text counts as none of theirs."""

_CHARACTERS = 2000  # the beginning says it, and the time grows with the length


def _check(work: Work) -> Check:
    languages = work.context.settings.languages
    known = identifier().labels
    for name in languages:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "give ISO 639-1 codes, such as en or zh"
            raise UsageError(f"Language {name!r}", "is not one that the filter knows", hint)

    def check(examples: Sequence[Example]) -> list[Annotation]:
        texts = dict.fromkeys(example.instruction.text for example in examples)
        found = {text: _annotation(text, languages) for text in texts}
        return [found[example.instruction.text] for example in examples]

    return check


def _annotation(text: str, languages: Sequence[str]) -> Annotation:
    beginning = text[:_CHARACTERS]
    best, probability = identifier().classify(beginning)
    value = {"language": best, "probability": round(float(probability), 3)}
    if best in languages or probability < SURE:
        return LANGUAGE.found(True, value)
    wanted = sum(share for name, share in identifier().rank(beginning) if name in languages)
    return LANGUAGE.found(wanted >= SMALL, value, f"the text is {best}, not {' or '.join(languages)}")


LANGUAGE = Filter("language", "1", _check)
"""The text is not recognised as another language than those of the recipe. What is recognised as nothing passes: names
and tables of numbers have no language. Value: the likeliest language and its probability."""


@lru_cache(maxsize=1)
def identifier() -> Any:
    """The identifier with its own model, with probabilities."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
