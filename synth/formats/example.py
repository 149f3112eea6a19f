"""From an instruction to the row that a model learns from."""

from __future__ import annotations

from harness.errors import DataError, UsageError
from synth.formats.phrasings import phrasings
from synth.formats.registry import FORMATS, basic_format, known
from synth.records import Example, Instruction, Strategy


def example(
    asked: Instruction, form: str, phrasing: str, guideline_text: str = "", rule_text: str = "", *, basic: str = "json"
) -> Example:
    """The example of an instruction in one format and one phrasing.

    The prompt ends with a word and a colon, and the completion starts with a space: tokenizers of the GPT family put
    that space into the first token of the answer, so prompt and completion have the same tokens apart and together,
    and lm-eval joins them in the same way when it scores. A block format starts on its own line; that line break
    belongs to the prompt, because ``:`` and a line break may be one token.

    Args:
        asked: The instruction.
        form: Id of the answer format.
        phrasing: Id of the prompt's wording.
        guideline_text: What the prompt shows of the instruction's guideline.
        rule_text: What the prompt shows of the instruction's preference rule.
        basic: Format of basic examples, as the recipe has it; another one is a format variant.

    Raises:
        UsageError: No format or phrasing has that id, or the phrasing is of another family.
        DataError: The format cannot carry the answer, or guideline or rule lack their text, or have one too many.
    """
    written = known(form, FORMATS, "Format")
    wording = known(phrasing, phrasings(), "Phrasing")
    if wording.family != asked.family:
        raise UsageError(f"Phrasing {phrasing}", f"asks about {wording.family}, not {asked.family}", "take another one")
    _check_shown("guideline", asked.guideline, guideline_text)
    _check_shown("rule", asked.rule, rule_text)
    prompt, completion = (
        wording.prompt(asked, written.describe(asked), guideline_text, rule_text),
        written.render(asked),
    )
    joined = (prompt + "\n", completion) if written.start == "block" else (prompt, " " + completion)
    return Example(asked, written.id, wording.id, *joined, strategies=_strategies(asked, form, basic))


def _strategies(asked: Instruction, form: str, basic: str) -> tuple[Strategy, ...]:
    used = {
        Strategy.FORMATS: form != basic_format(asked, basic),
        Strategy.GUIDELINES: asked.guideline is not None,
        Strategy.RULES: asked.rule is not None,
    }
    return tuple(strategy for strategy, uses in used.items() if uses)


def _check_shown(kind: str, identity: str | None, text: str) -> None:
    """An example that claims a guideline or a rule has to show it."""
    if (identity is not None) != bool(text):
        lacks = "names one without a text" if identity is not None else "shows a text without naming one"
        raise DataError(f"The {kind} of an instruction", lacks, "give both or none")
