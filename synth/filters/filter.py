"""What a filter is: a named, versioned rule that annotates examples and deletes none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synth.recipe import FilterSettings, TeacherSettings
from synth.records import Annotation, Example

Check = Callable[[Sequence[Example]], list[Annotation]]
"""Annotations of a batch of examples, in their order."""


@dataclass(frozen=True, slots=True)
class Context:
    """What filters need beside the examples; it can be pickled.

    Attributes:
        settings: Of the recipe.
        cache: Folder for what is kept between runs: indexes of test items, the teacher's answers.
        mirror: Local mirror of datasets, if any.
        include: Folders of the user's own cards.
        guidelines: Text of every guideline by its id.
        rules: Text of every preference rule by its id.
        teacher: The teacher that judges.
    """

    settings: FilterSettings
    cache: Path
    mirror: Path | None = None
    include: tuple[Path, ...] = ()
    guidelines: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)


@dataclass(frozen=True, slots=True)
class Work:
    """One shard's work.

    Attributes:
        context: The context.
        state: Folder with what was found out about all shards together.
        shard: Number of the shard.
        index: Folder of the index of test items; None where no suite is named.
    """

    context: Context
    state: Path
    shard: int
    index: Path | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A rule with a name.

    Attributes:
        name: Name in recipes and annotations.
        version: Raised with every change of the rule.
        check: From a shard's work to the function that annotates its examples, batch by batch and in order.
    """

    name: str
    version: str
    check: Callable[[Work], Check]

    def found(self, passed: bool, value: Any = None, reason: str = "") -> Annotation:
        """An annotation of this filter."""
        return Annotation(self.name, self.version, passed, value, "" if passed else reason)
