"""All filters by name, and which of them a recipe uses."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from harness.errors import DataError, UsageError
from synth.filters.answers import GROUNDED, PARSES_BACK, SCHEMA_VALID
from synth.filters.filter import Filter
from synth.filters.judge import JUDGE
from synth.filters.language import LANGUAGE
from synth.filters.length import LENGTH
from synth.filters.overlap import CONTAMINATION
from synth.filters.patterns import SECRETS, TOXICITY
from synth.filters.repeats import NEAR_DUPLICATE, SIBLINGS
from synth.recipe import FilterSettings

_ALL = (
    *(SCHEMA_VALID, GROUNDED, PARSES_BACK, LENGTH, LANGUAGE, SECRETS, TOXICITY),
    *(NEAR_DUPLICATE, SIBLINGS, CONTAMINATION, JUDGE),
)
FILTERS: Mapping[str, Filter] = MappingProxyType({item.name: item for item in _ALL})
"""Every filter by its name, in the order in which they annotate."""


def chosen_filters(settings: FilterSettings) -> tuple[Filter, ...]:
    """The filters of a recipe: those that ``use`` names, else all that its settings give something to check by.

    Raises:
        UsageError: A name is not one of a filter.
        DataError: ``use`` names a filter whose setting is missing.
    """
    missing = {
        name for name, value in ((JUDGE.name, settings.judge), (CONTAMINATION.name, settings.suites)) if not value
    }
    if settings.use is None:
        return tuple(item for item in _ALL if item.name not in missing)
    for name in settings.use:
        if name not in FILTERS:
            close = difflib.get_close_matches(name, FILTERS, n=1)
            hint = f"did you mean {close[0]}?" if close else "name one of them"
            raise UsageError(f"Filter {name!r}", f"does not exist (there are: {', '.join(FILTERS)})", hint)
        if name in missing:
            setting = "judge" if name == JUDGE.name else "suites"
            raise DataError(f"Filter {name}", f"has nothing to check by: filters.{setting} is empty", "set it")
    return tuple(FILTERS[name] for name in dict.fromkeys(settings.use))
