"""Prompt templates compiled once: lm-eval compiles a card's jinja text anew for every row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def compiled_templates() -> Iterator[None]:
    """While it is open, lm-eval renders templates that are compiled once; what they render stays the same."""
    from lm_eval import utils

    plain = utils.apply_template
    utils.apply_template = _rendered
    try:
        yield
    finally:
        utils.apply_template = plain


def _rendered(template: str, doc: Mapping[str, Any]) -> str:
    return str(_compiled(template).render(**doc))


@lru_cache(maxsize=4096)
def _compiled(template: str) -> Any:
    from lm_eval import utils

    return utils.env.from_string(template)
