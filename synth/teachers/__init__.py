"""Teachers draft guidelines and rules: an OpenAI-compatible endpoint, the Batch API, a local model, or the rulebook."""

from synth.teachers.nouns import Answer, Outcome, Request, Teacher, Usage

__all__ = ["Answer", "Outcome", "Request", "Teacher", "Usage"]
