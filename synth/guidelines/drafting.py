"""Drafting: a teacher writes from seed examples, thinks again about its own draft, and the data has the last word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from synth.guidelines.checks import contradictions, observed, problems
from synth.guidelines.guideline import Draft, Guideline
from synth.guidelines.label_sets import LabelSet, shown
from synth.prompts import prompt
from synth.recipe import GuidelineSettings
from synth.teachers import Answer, Request, Teacher

LABELS_PER_REQUEST = 3
"""Longer label sets are drafted in pieces: an answer must fit ``teacher.max_tokens``, by default 1,024."""

CORRECTIONS = 2
"""Times that a draft goes back to the teacher because the data refuses it."""

_DRAFT, _REFLECT = "guideline_draft", "guideline_reflect"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some labels of a label set on their way to a guideline.

    Attributes:
        label_set: The label set.
        labels: The labels of this piece.
        draft: The last draft that the data does not refuse; None as long as there is none.
        refused: The last draft that was refused, as it was.
        reasons: Why the last answer cannot be used; empty where it can.
        over: Whether asking again is of no use.
        keys: Request keys so far.
        notes: What a round of reflection could not mend.
    """

    label_set: LabelSet
    labels: tuple[str, ...]
    draft: Draft | None = None
    refused: Draft | None = None
    reasons: tuple[str, ...] = ()
    over: bool = False
    keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def draft(label_sets: Iterable[LabelSet], teacher: Teacher, settings: GuidelineSettings) -> Iterator[Guideline]:
    """Guidelines for label sets, one per label set and one for each piece of it that had to be rejected.

    Args:
        label_sets: Label sets with seed documents.
        teacher: Who drafts.
        settings: Rounds of reflection, and seed documents per request.

    Raises:
        HarnessError: The teacher cannot be asked at all (see ``Teacher.ask``).
    """
    pieces = [
        _Piece(label_set, label_set.labels[start : start + LABELS_PER_REQUEST])
        for label_set in label_sets
        for start in range(0, len(label_set.labels), LABELS_PER_REQUEST)
    ]
    pieces = _until_valid(pieces, _DRAFT, teacher, settings)
    for _ in range(settings.rounds):
        pieces = _reflected(pieces, teacher, settings)
    yield from _guidelines(pieces, teacher, settings)


def _until_valid(pieces: list[_Piece], purpose: str, teacher: Teacher, settings: GuidelineSettings) -> list[_Piece]:
    """The pieces after their answers, asked again with the reasons where the data refuses them."""
    waiting = list(range(len(pieces)))
    for _ in range(CORRECTIONS + 1):
        requests = [Request(purpose, _variables(pieces[place], purpose, settings)) for place in waiting]
        for place, answer in zip(waiting, teacher.ask(requests), strict=True):
            pieces[place] = _heard(pieces[place], answer)
        waiting = [place for place in waiting if pieces[place].reasons and not pieces[place].over]
    return pieces


def _reflected(pieces: list[_Piece], teacher: Teacher, settings: GuidelineSettings) -> list[_Piece]:
    """The pieces after a round of reflection; where it fails the draft before it stays, with a note."""
    places = [place for place, piece in enumerate(pieces) if piece.draft is not None]
    asked = [replace(pieces[place], reasons=(), refused=None, over=False) for place in places]
    for place, after in zip(places, _until_valid(asked, _REFLECT, teacher, settings), strict=True):
        notes = (*after.notes, "; ".join(after.reasons)) if after.reasons else after.notes
        pieces[place] = replace(after, reasons=(), refused=None, notes=notes)
    return pieces


def _heard(piece: _Piece, answer: Answer) -> _Piece:
    keys = (*piece.keys, *answer.keys)
    if answer.content is None:
        return replace(piece, reasons=(f"{answer.outcome}: {answer.reason}",), over=True, keys=keys)
    said = Draft.model_validate(answer.content)
    found = tuple(problems(said, piece.label_set, piece.labels))
    if found:
        return replace(piece, refused=said, reasons=found, keys=keys)
    return replace(piece, draft=said, refused=None, reasons=(), keys=keys)


def _variables(piece: _Piece, purpose: str, settings: GuidelineSettings) -> dict[str, Any]:
    label_set = piece.label_set
    variables: dict[str, Any] = {
        "family": str(label_set.family),
        "source": label_set.source,
        "labels": list(piece.labels),
        "roles": {label: list(label_set.roles[label]) for label in piece.labels if label in label_set.roles},
        "documents": [shown(document) for document in label_set.examples(piece.labels, settings.seeds)],
        "problems": list(piece.reasons),
        "refused": piece.refused.model_dump(mode="json") if piece.refused else {},
    }
    if purpose == _REFLECT and piece.draft is not None:
        current = piece.draft.model_dump(mode="json")
        variables["guideline"] = current
        variables["contradictions"] = contradictions(current["items"], label_set)
        variables["observed"] = observed(label_set, piece.labels)
    return variables


def _guidelines(pieces: Sequence[_Piece], teacher: Teacher, settings: GuidelineSettings) -> Iterator[Guideline]:
    by_set: dict[tuple[str, str], list[_Piece]] = {}
    for piece in pieces:
        by_set.setdefault((piece.label_set.family, piece.label_set.source), []).append(piece)
    for of_set in by_set.values():
        good = [piece for piece in of_set if piece.draft is not None]
        if good:
            yield _guideline(good, teacher, settings)
        yield from (_rejected(piece, teacher) for piece in of_set if piece.draft is None)


def _guideline(pieces: Sequence[_Piece], teacher: Teacher, settings: GuidelineSettings) -> Guideline:
    items = {item.label: item for piece in pieces if piece.draft for item in piece.draft.items}
    label_set = pieces[0].label_set
    own = teacher.name == "rulebook"
    return Guideline(
        family=label_set.family,
        source=label_set.source,
        items=tuple(items[label] for label in label_set.labels if label in items),
        origin="rulebook" if own else "teacher",
        status="approved" if own else "draft",
        provenance=_provenance(pieces, teacher) | {"rounds": settings.rounds},
    )


def _rejected(piece: _Piece, teacher: Teacher) -> Guideline:
    return Guideline(
        family=piece.label_set.family,
        source=piece.label_set.source,
        items=piece.refused.items if piece.refused else (),
        origin="rulebook" if teacher.name == "rulebook" else "teacher",
        status="rejected",
        reasons=piece.reasons,
        provenance=_provenance([piece], teacher) | {"labels": list(piece.labels)},
    )


def _provenance(pieces: Sequence[_Piece], teacher: Teacher) -> dict[str, Any]:
    return {
        "teacher": teacher.name,
        "prompts": {purpose: prompt(purpose).version for purpose in (_DRAFT, _REFLECT)},
        "requests": [key for piece in pieces for key in piece.keys],
        "notes": [note for piece in pieces for note in piece.notes],
    }
