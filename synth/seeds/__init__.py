"""The embedded grammar: unlimited documents of our own sentences, annotated by construction, for every family.

A document is a function of seed and row number and of nothing else. No sentence of it is one of the embedded test suite
(``harness/assets/quick``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from harness.errors import UsageError
from synth.draws import Draws
from synth.records import Document, Family
from synth.seeds import families, texts
from synth.seeds.frames import Domain, domains

_SHARES = {Family.NER: 22, Family.RE: 18, Family.EE: 18, Family.MRC: 18, Family.TC: 16, Family.GENERAL: 8}
"""Per hundred documents of no particular family; open relations are made of documents with relations."""

_ORDER = tuple(family for family, share in _SHARES.items() for _ in range(share // 2))
_OF_DOMAINS = tuple(family for family in _ORDER if family is not Family.GENERAL)
_PASSAGES: dict[Family, Callable[[Domain, Draws], Document]] = {
    Family.NER: families.entities,
    Family.RE: families.relations,
    Family.EE: families.events,
    Family.OPEN_IE: families.open_relations,
    Family.MRC: families.reading,
}


def documents(
    seed: int, limit: int | None = None, family: Family | None = None, domain: str | None = None, first: int = 0
) -> Iterator[Document]:
    """Documents of the grammar, one for each row number.

    Args:
        seed: Seed.
        limit: How many; None for no end.
        family: One family; None for all, mixed.
        domain: One domain or text collection, by name; None for all.
        first: Row number of the first one: a stream can be taken up anywhere.

    Raises:
        UsageError: There is no such domain, or it has no documents of the family.
    """
    chosen = _chosen(family, domain)
    numbers = count(first) if limit is None else range(first, first + limit)
    return (_document(seed, number, chosen, family) for number in numbers)


def names() -> tuple[str, ...]:
    """Domains and text collections, as ``documents`` takes them."""
    return (*(domain.name for domain in domains()), *texts.names())


def _chosen(family: Family | None, domain: str | None) -> tuple[Domain, ...] | str | None:
    """Domains to draw from, the name of a text collection, or None for everything."""
    if domain is None:
        return None
    if domain in texts.names():
        if family not in (None, texts.family(domain)):
            raise UsageError(f"Seeds {domain}", f"have no {family} documents", "leave the family out")
        return domain
    found = tuple(item for item in domains() if item.name == domain)
    if not found or family is Family.GENERAL:
        raise UsageError(
            f"Seeds {domain!r}", "are not in the grammar" if not found else "have no general documents",
            f"name one of {', '.join(names())}",
        )  # fmt: skip
    return found


def _document(seed: int, number: int, chosen: tuple[Domain, ...] | str | None, family: Family | None) -> Document:
    draws = Draws(f"{seed}/{number}/{family or ''}/{chosen if isinstance(chosen, str) else ''}")
    if isinstance(chosen, str):
        return texts.document(chosen, draws)
    kind = family or draws.pick(_ORDER if chosen is None else _OF_DOMAINS)
    domain = draws.pick(chosen or domains())
    if kind is Family.GENERAL:
        return texts.general(draws)
    if kind is Family.TC:
        return families.topic(domain, draws) if chosen or draws.below(4) == 0 else texts.classified(draws)
    return _PASSAGES[kind](domain, draws)
