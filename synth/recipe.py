"""The recipe of a corpus: strict YAML in, frozen settings out. An unknown key is an error with the nearest name.

Defaults are ours. Where a figure is reported for Hum (arXiv 2502.03843, by secondary summaries only: 55 % basic and
45 % compound records) it says so; nothing here is the paper's set-up, which is not public.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import DataError, MissingInputError
from synth.records import Family, digest

S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Frozen; a key that does not exist is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Settings):
    """One seed data set: a mirrored hub id, a JSON-lines file, or the embedded grammar.

    Attributes:
        dataset: Hub id that the mirror or the hub holds, or ``seeds`` for the embedded grammar.
        config: Hub configuration.
        file: A JSON-lines file of the user's, instead of ``dataset``.
        family: Family of the annotation; a source that has only one may leave it out.
        split: Split; a test split that a card scores is refused.
        limit: Documents at most, a seeded sample; None for all.
    """

    dataset: str | None = None
    config: str | None = None
    file: Path | None = None
    family: Family | None = None
    split: str = "train"
    limit: int | None = Field(None, ge=1)


class InstructionSettings(Settings):
    """How documents become base instructions (after IEPile, arXiv 2402.14710).

    Attributes:
        labels: Labels per instruction, by family; IEPile uses 6 for entities, 4 for relations and events.
        other_labels: Most absent labels beside the present and the confusable ones.
        open_ie: Share of documents with relations that are also asked without a schema.
        general: Share of general instructions among the base instructions.
    """

    labels: dict[Family, Annotated[int, Field(ge=1)]] = {Family.NER: 6, Family.RE: 4, Family.EE: 4}
    other_labels: int = Field(4, ge=0)
    open_ie: float = Field(0.1, ge=0, le=1)
    general: float = Field(0.1, ge=0, le=1)


class TeacherSettings(Settings):
    """Who drafts guidelines and rules.

    Attributes:
        kind: ``rulebook`` (offline library), ``endpoint`` (OpenAI-compatible), ``batch`` (request and response files
            of the Batch API), ``local`` (a transformers model).
        model: Model name at the endpoint, or folder of the local model.
        url: Base URL of the endpoint, such as ``http://localhost:8000/v1``.
        key_variable: Environment variable that holds the API key; the key itself is never written.
        concurrency: Requests in flight.
        requests_per_minute: Rate limit; None for none.
        temperature: Sampling temperature.
        max_tokens: Tokens per answer.
        price: Cost per million tokens, prompt and completion, in the user's currency; None where unknown.
        structured: Ask for schema-constrained answers where the server has them.
        seed: Seed that is sent along.
        timeout_s: Seconds until a request counts as lost.
        retries: Times that a request is sent again after a fault of the server.
        reasks: Times that a question is asked again because its answer was not valid.
    """

    kind: Literal["rulebook", "endpoint", "batch", "local"] = "rulebook"
    model: str | None = None
    url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    concurrency: int = Field(16, ge=1)
    requests_per_minute: float | None = Field(None, gt=0)
    temperature: float = Field(0.7, ge=0)
    max_tokens: int = Field(1024, ge=1)
    price: tuple[float, float] | None = None
    structured: bool = True
    seed: int = 0
    timeout_s: float = Field(120, gt=0)
    retries: int = Field(6, ge=0)
    reasks: int = Field(2, ge=0)


class GuidelineSettings(Settings):
    """Guidelines synthesis.

    Attributes:
        rounds: Rounds of self-reflection after the first draft.
        seeds: Seed documents that a draft sees.
        require_approval: Use only guidelines that a person approved; those of the rulebook are.
    """

    rounds: int = Field(2, ge=0)
    seeds: int = Field(8, ge=1)
    require_approval: bool = True


class RuleSettings(Settings):
    """Preference-rules synthesis.

    Attributes:
        per_source: Rules at most per source and family.
        min_changed: Documents whose answer a rule must change to be accepted.
        probe: Documents that a rule is tried on.
        agreement: Smallest share of equal relabelled answers of two relabellers.
        held_out: Share of rules that are kept for evaluation.
        require_approval: Use only teacher rules that a person approved.
    """

    per_source: int = Field(6, ge=0)
    min_changed: int = Field(5, ge=1)
    probe: int = Field(100, ge=1)
    agreement: float = Field(0.9, gt=0, le=1)
    held_out: float = Field(0.2, ge=0, lt=1)
    require_approval: bool = True


class FormatSettings(Settings):
    """Format variants.

    Attributes:
        basic: Format of basic examples of extraction; reading, classification and general instructions are answered in
            plain text, as the cards ask.
        train: Formats of variants; None for all that are not held out.
        held_out: Formats kept for evaluation; they never enter a corpus.
    """

    basic: str = "json"
    train: tuple[str, ...] | None = None
    held_out: tuple[str, ...] = ("tsv", "qa")


class FilterSettings(Settings):
    """What is checked of every example.

    Attributes:
        use: Filters by name, in order; None for all.
        tokenizer: Folder or hub id whose tokens count; None for the base of ``harness produce``, else the embedded one.
        max_tokens: Longest prompt with completion.
        languages: Languages that pass, ISO 639-1.
        near_duplicate: Smallest Jaccard similarity of word 5-grams that makes two texts near-duplicates.
        suites: Suites whose test items must not occur.
        judge: Smallest score of the teacher as a judge, 1 to 5; None for no judging.
        siblings: Examples at most per document.
    """

    use: tuple[str, ...] | None = None
    tokenizer: str | None = None
    max_tokens: int = Field(1024, ge=1)
    languages: tuple[str, ...] = ("en", "zh")
    near_duplicate: float = Field(0.8, gt=0, le=1)
    suites: tuple[str, ...] = ("quick",)
    judge: float | None = Field(None, ge=1, le=5)
    siblings: int = Field(8, ge=1)


Ablation = Literal["none", "no_guidelines", "no_rules", "no_formats", "unfiltered", "basic_only"]


class MixSettings(Settings):
    """Which examples make the corpus.

    Attributes:
        records: Examples of train and dev together; None for all that fit the shares.
        tokens: Tokens at most, by the recipe's tokenizer.
        compound: Share of examples with at least one strategy (0.45 is reported for Hum).
        families: Share per family; None for as they come.
        dev: Share of documents kept for a dev split.
        ablation: A row selection of the same pool, of the size of the whole corpus.
        ablations: Further ones, each in a folder ``corpus-<ablation>`` beside the corpus.
        shard: Examples per shard.
        form: ``jsonl`` or ``parquet``.
    """

    records: int | None = Field(None, ge=1)
    tokens: int | None = Field(None, ge=1)
    compound: float = Field(0.45, ge=0, le=1)
    families: dict[Family, float] | None = None
    dev: float = Field(0.05, ge=0, lt=1)
    ablation: Ablation = "none"
    ablations: tuple[Ablation, ...] = ()
    shard: int = Field(50_000, ge=1)
    form: Literal["jsonl", "parquet"] = "jsonl"


class Recipe(Settings):
    """A whole recipe.

    Attributes:
        name: Name of the corpus.
        seed: Seed of everything random.
        sources: Seed data sets.
        variants: Compound instructions at most per base instruction.
    """

    name: str = "corpus"
    seed: int = 0
    sources: tuple[Source, ...] = Field(min_length=1)
    variants: int = Field(2, ge=0)
    instructions: InstructionSettings = InstructionSettings()
    teacher: TeacherSettings = TeacherSettings()
    guidelines: GuidelineSettings = GuidelineSettings()
    rules: RuleSettings = RuleSettings()
    formats: FormatSettings = FormatSettings()
    filters: FilterSettings = FilterSettings()
    mix: MixSettings = MixSettings()

    @property
    def digest(self) -> str:
        """SHA-256 of every setting."""
        return digest(self.model_dump(mode="json"))


def read_recipe(path: Path) -> Recipe:
    """The recipe of a YAML file.

    Raises:
        MissingInputError: The file is not there.
        DataError: It is no YAML, or a key or value is wrong; the message says where and the nearest name.
    """
    return read_settings(Recipe, path)


def recipe_of(content: Any) -> Recipe:
    """The recipe of a parsed mapping.

    Raises:
        DataError: A key or value is wrong.
    """
    return settings_of(Recipe, content, "The recipe")


def read_settings(kind: type[S], path: Path) -> S:
    """Settings of one kind from a YAML file.

    Raises:
        MissingInputError: The file is not there.
        DataError: It is no YAML, or a key or value is wrong; the message says where and the nearest name.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingInputError(f"Recipe {path}", "is not there", "name a YAML file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"Recipe {path}", f"cannot be read ({' '.join(str(error).split())})", "correct it") from error
    return settings_of(kind, content, f"Recipe {path}")


def settings_of(kind: type[S], content: Any, thing: str) -> S:
    """Settings of one kind from a parsed mapping; ``thing`` names it in messages.

    Raises:
        DataError: A key or value is wrong.
    """
    if not isinstance(content, dict):
        raise DataError(thing, "does not hold a mapping", "write key: value pairs")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        found = error.errors()
        first = next(
            (one for one in found if one["type"] == "extra_forbidden"), found[0]
        )  # a misspelt key is missing too
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] != "extra_forbidden":
            where = f" at {place}" if place else ""
            raise DataError(thing, f"has a wrong value{where} ({first['msg']})", "correct it") from error
        close = difflib.get_close_matches(str(first["loc"][-1]), _names(kind), n=1)
        hint = f"did you mean {close[0]}?" if close else "leave it out"
        raise DataError(thing, f"has the unknown key {place}", hint) from error


def _names(kind: type[BaseModel]) -> set[str]:
    """Every key that may occur anywhere in a recipe."""
    names = set(kind.model_fields)
    for item in kind.model_fields.values():
        annotation = item.annotation
        inner = [annotation, *getattr(annotation, "__args__", ())]
        for part in inner:
            if isinstance(part, type) and issubclass(part, BaseModel):
                names |= _names(part)
    return names
