"""Human review: a local page and a terminal mode over one queue, verdicts that only grow, and agreement."""

from synth.review.agreement import Agreement, agreements
from synth.review.edits import latest
from synth.review.item import Item, differences
from synth.review.queue import queue
from synth.review.server import ReviewServer, serve
from synth.review.terminal import in_terminal
from synth.review.verdicts import Verdict, VerdictLog, approved, edited_examples, rejected

__all__ = [
    "Agreement",
    "Item",
    "ReviewServer",
    "Verdict",
    "VerdictLog",
    "agreements",
    "approved",
    "differences",
    "edited_examples",
    "in_terminal",
    "latest",
    "queue",
    "rejected",
    "serve",
]
