"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One way in which a card or a producer breaks its contract.

    Attributes:
        check: For a card ``columns``, ``cluster``, ``metrics``, ``gold``, ``empty answer``, ``chance``, ``prompt`` or
            ``card``; for a producer ``produce``, ``checkpoint``, ``folder``, ``digests``, ``base``, ``seed``,
            ``continue`` or ``recipe``.
        reason: What is wrong.
        next_step: What its author can do, as an imperative.
    """

    check: str
    reason: str
    next_step: str
