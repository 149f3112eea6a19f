"""The nouns of the harness. Read this file first, then the verb that you typed.

Frozen and typed; no I/O, no heavy import. Everything that resamples or compares works on *counts*: a metric
is a pair ``count(prediction, gold) -> (k,)`` per item and ``fold(summed counts) -> score``, because a corpus
score such as micro-F1 is not a mean of per-item scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Counts = tuple[float, ...]
"""One item's sufficient counts for one metric; which fold reads them is said by the task."""

Interval = tuple[float, float]
"""Lower and upper end of a 95 % interval, in the unit of the score."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is scored.

    Attributes:
        model: The lm-eval model name that loads it, such as ``hf``.
        reference: Hub id, folder name or endpoint model; never a secret.
        revision: Hub revision that was asked for, if any.
        adapter: Reference of the LoRA adapter that was merged in, if any.
        digests: SHA-256 of ``weights``, ``tokenizer``, ``chat_template``, ``config``, ``adapter`` where they exist.
        parent: Digest of the checkpoint that this one was made from, if known.
        producer: Name of the producer that made it, if known.
    """

    model: str
    reference: str
    revision: str | None = None
    adapter: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    producer: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked: one card, or one stock lm-eval task referred to by a suite.

    Attributes:
        name: lm-eval task name.
        family: The family that it belongs to in the suite's headline.
        metric: Name of the headline metric, as in lm-eval's results.
        filter: lm-eval filter that the metric is read from.
        chance: Score of a guesser, in [0, 1].
        num_fewshot: Examples before the question; None keeps the card's own number.
        version: Version in the card.
        digest: SHA-256 of the card as resolved, includes merged.
        dataset: Hub id of the data (``embedded:<file>`` for items that ship with the package).
        config: Hub configuration.
        revision: Pinned hub commit.
        split: Split that is scored.
        licence: Licence of the data.
        matching: The matching rule in words.
        unit: What is resampled: ``item``, or the name of the document field that clusters items.
        source: Where prompt and rule come from.
        card: Path of the card file, for messages; None for a stock task.
        chances: For a stock group: the score of a guesser per subtask, where they differ.
        probe: For a probe of one behaviour: its ``kind``, the task whose documents it renders (``of``), its
            ``variant``, and whether training may have ``seen`` that variant. Probes of one kind and task ask the same
            rows in the same order: their records pair by ``doc_id``.
    """

    name: str
    family: str
    metric: str
    filter: str = "none"
    chance: float = 0.0
    num_fewshot: int | None = None
    version: str = "0"
    digest: str = ""
    dataset: str = ""
    config: str | None = None
    revision: str | None = None
    split: str = ""
    licence: str = ""
    matching: str = ""
    unit: str = "item"
    source: str = ""
    card: str | None = None
    chances: Mapping[str, float] = field(default_factory=dict)
    probe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest shares of items, per task, that a run may have before it fails.

    Attributes:
        failed: Items that raised an error.
        empty: Generations that are empty.
        truncated: Prompts that were cut because they exceed the context.
        unparseable: Generations that the strict parser and its repair both reject.
    """

    failed: float = 0.0
    empty: float = 1.0
    truncated: float = 0.1
    unparseable: float = 1.0


@dataclass(frozen=True, slots=True)
class Suite:
    """A named, ordered list of tasks and how its headline is aggregated.

    Attributes:
        name: Name on the command line.
        title: One line for people.
        version: Version of the suite file.
        digest: SHA-256 of the suite file and of the digests of its tasks.
        tasks: In the order of the file.
        pooled: Families whose items are pooled (each item weighs the same) instead of averaging their tasks.
        limits: Shares at which a run of this suite fails.
        policy: Name of the default gate policy.
    """

    name: str
    title: str
    version: str
    digest: str
    tasks: tuple[Task, ...]
    pooled: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    policy: str = "general"


@dataclass(frozen=True, slots=True)
class Record:
    """One item's outcome.

    Attributes:
        task: Task name.
        item: SHA-256 over document and target: the same item has the same id in every run.
        doc_id: Row number in the scored split.
        cluster: Value of the card's cluster field (a passage, a document); None where items are independent.
        counts: Counts per metric and per health rate; empty where ``error`` is set.
        prediction: What the model answered, as parsed; JSON-able.
        prompt_hash: SHA-256 of the prompt.
        target_hash: SHA-256 of the target.
        error: Why the item could not be scored, or None.
    """

    task: str
    item: str
    doc_id: int
    cluster: str | None
    counts: Mapping[str, Counts]
    prediction: Any
    prompt_hash: str
    target_hash: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TaskScore:
    """A task's folded result.

    Attributes:
        task: Task name.
        family: Its family.
        metric: Headline metric.
        fold: Name of the fold that turns summed counts into the score.
        score: In [0, 1] (a perplexity is not).
        interval: 95 % interval of the score.
        chance: Score of a guesser.
        items: Items scored.
        failed: Items that raised an error.
        metrics: Every other metric of the card, folded.
        health: Health rates, folded, in [0, 1].
        seconds: Time spent on the task's requests.
    """

    task: str
    family: str
    metric: str
    fold: str
    score: float
    interval: Interval
    chance: float
    items: int
    failed: int
    metrics: Mapping[str, float]
    health: Mapping[str, float]
    seconds: float


@dataclass(frozen=True, slots=True)
class SuiteScore:
    """A suite's headline: the mean of its family means, with a stratified interval."""

    name: str
    score: float
    interval: Interval
    families: Mapping[str, float]


class Status(StrEnum):
    """Whether a run may be relied on."""

    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """Suites x one checkpoint, as read from its record.

    Attributes:
        id: SHA-256 of the canonical ``run.json``.
        path: Folder of the record.
        manifest: The content of ``run.json``: digests, versions, engine, seeds, signature line, files.
    """

    id: str
    path: str
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has achieved, as ``run`` and ``import`` hand it to the display.

    Attributes:
        run: The stored record.
        tasks: Task scores, in suite order.
        suites: Suite scores, in the order asked for; a suite with an unscored task has none.
        status: Whether the run may be relied on.
        reasons: Why not.
    """

    run: Run
    tasks: tuple[TaskScore, ...]
    suites: tuple[SuiteScore, ...]
    status: Status
    reasons: tuple[str, ...]


class State(StrEnum):
    """What a check has found; anything but a problem lets a run go on."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that ``validate`` has looked at.

    Attributes:
        subject: What it is about: a suite, a card, the checkpoint.
        check: What was looked at.
        state: What was found.
        sentence: The finding in words.
        fix: For a problem: what to do about it.
        exit_code: For a problem: 65, or 66 where something is not there.
    """

    subject: str
    check: str
    state: State
    sentence: str
    fix: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class RateComparison:
    """A health rate of one task in two runs; more is worse.

    Attributes:
        rate: Name, such as ``parse_failure``.
        baseline: Rate of the baseline, in [0, 1].
        candidate: Rate of the candidate.
        delta: candidate - baseline.
        interval: 95 % interval of delta.
        p_worse: One-sided p-value of "the candidate's rate is higher".
        items: Items paired.
    """

    rate: str
    baseline: float
    candidate: float
    delta: float
    interval: Interval
    p_worse: float
    items: int


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One task in two runs, paired by item.

    Attributes:
        task: Task name.
        family: Its family.
        metric: Headline metric.
        fold: Fold of that metric.
        baseline: Score of the baseline on the paired items.
        candidate: Score of the candidate on the paired items.
        delta: candidate - baseline.
        interval: 95 % interval of delta.
        standard_error: Of delta.
        items: Items paired.
        clusters: Clusters among them, or None where items are independent.
        dropped: Items left out and why: reason to number.
        discordance: Share of items whose outcome differs (the flip rate); None where the outcome is not 0/1.
        losses: Items that the candidate lost; None likewise.
        gains: Items that it won; None likewise.
        p_harm: One-sided p-value of harm.
        p_harm_holm: The same, Holm-adjusted over the tasks of the comparison.
        p_improve: One-sided p-value of improvement.
        p_improve_holm: The same, Holm-adjusted.
        p_noninferior: One-sided p-value of "not worse by the margin".
        margin: Non-inferiority margin, in [0, 1].
        chance: Score of a guesser.
        method: Tests used: ``mcnemar+tango``, ``t``, ``linearised``, with ``/clusters`` where items are clustered.
        rates: Health rates.
    """

    task: str
    family: str
    metric: str
    fold: str
    baseline: float
    candidate: float
    delta: float
    interval: Interval
    standard_error: float
    items: int
    clusters: int | None
    dropped: Mapping[str, int]
    discordance: float | None
    losses: int | None
    gains: int | None
    p_harm: float
    p_harm_holm: float
    p_improve: float
    p_improve_holm: float
    p_noninferior: float
    margin: float
    chance: float
    method: str
    rates: tuple[RateComparison, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """A family or a suite in two runs: the macro delta with stratified error.

    Attributes:
        name: Family or suite.
        baseline: Mean score of the baseline.
        candidate: Mean score of the candidate.
        delta: candidate - baseline.
        interval: 95 % interval of delta.
        standard_error: Of delta.
        p_harm: One-sided p-value of harm.
        p_improve: One-sided p-value of improvement.
        p_noninferior: One-sided p-value of "not worse by the margin".
        margin: Non-inferiority margin.
        tasks: Names of its tasks.
    """

    name: str
    baseline: float
    candidate: float
    delta: float
    interval: Interval
    standard_error: float
    p_harm: float
    p_improve: float
    p_noninferior: float
    margin: float
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A sign of how a checkpoint fails, or of how that has changed against a baseline; docs/signatures.md has them all.

    Attributes:
        name: Which sign, such as ``format_consistency``.
        subject: What it was seen on: a task, or the task whose documents a group of probes renders.
        value: The measure; in a comparison the candidate's.
        interval: 95 % interval of the value; in a comparison that of delta.
        items: Documents that it rests on.
        sentence: What it says, in words.
        higher_is_worse: Whether more of it is worse.
        baseline: The baseline's value; None for a single run.
        delta: candidate - baseline; None for a single run.
        p_worse: One-sided p-value of "worse than the baseline", or than the sign's null; None where none is tested.
        p_worse_holm: The same, Holm-adjusted over all signs that were tested together.
        tasks: Names of the tasks that it was seen on.
    """

    name: str
    subject: str
    value: float
    interval: Interval
    items: int
    sentence: str
    higher_is_worse: bool = True
    baseline: float | None = None
    delta: float | None = None
    p_worse: float | None = None
    p_worse_holm: float | None = None
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two aligned runs.

    Attributes:
        candidate: Run id of the candidate.
        baseline: Run id of the baseline.
        claim_type: ``checkpoint`` (items are the units), ``recipe`` (three or more training-seed pairs are) or
            ``noise floor`` (two runs of one checkpoint).
        tasks: Per task.
        families: Per family and suite, named ``suite/family``.
        suites: Per suite.
        warnings: What a reader must know, such as templates that differ.
        sentences: The claims in words.
        pairs: Pairs of training seeds, where the claim is about a recipe.
    """

    candidate: str
    baseline: str
    claim_type: str
    tasks: tuple[TaskComparison, ...]
    families: tuple[GroupComparison, ...]
    suites: tuple[GroupComparison, ...]
    warnings: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    pairs: int | None = None


class Ruling(StrEnum):
    """What a claim or a policy comes to."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a policy and what the data say of it.

    Attributes:
        claim: Its name, such as ``general: macro non-inferior at 1.0 points``.
        ruling: PASS, FAIL or INCONCLUSIVE.
        sentence: The reason, in words a reader can check.
        items: Items that it rests on; pairs of training seeds, where the claim is about a recipe.
        items_needed: As many in all as would settle it at the policy's power; None where it is settled.
    """

    claim: str
    ruling: Ruling
    sentence: str
    items: int
    items_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A policy applied to a comparison: PASS, FAIL or INCONCLUSIVE, with reasons and what would settle it."""

    ruling: Ruling
    claims: tuple[Claim, ...]
    comparison: Comparison
    policy: Mapping[str, Any] = field(default_factory=dict)
