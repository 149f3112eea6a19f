"""What the runs of an experiment say of its arms: comparisons, verdicts, and what stands when all are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.compare import Margins, Scope, compare
from harness.compare.recipe import compare_recipes
from harness.errors import HarnessError
from harness.experiment.graph import label_of
from harness.experiment.matrix import Compare
from harness.experiment.plan import PAIRS, Place, Plan
from harness.gate import Evidence, gate
from harness.nouns import Comparison, GroupComparison, Ruling, Run, Signature, Verdict
from harness.policy import Policy, margins_of
from harness.signatures import recipe_changes, signature_changes
from harness.stats.multiplicity import holm

WORST_FIRST = (Ruling.FAIL, Ruling.INCONCLUSIVE, Ruling.PASS)


@dataclass(frozen=True, slots=True)
class Held:
    """A candidate held against a baseline on the suites of one run, for one base.

    Attributes:
        base: Name of the base.
        candidate: Arm in question.
        baseline: Arm that it is held against.
        suites: Suites of the run.
        pairs: Runs of each pair of seeds, with the seed.
        comparisons: One per pair: claims about checkpoints, whose units are the items.
        recipe: Over all pairs, where there are enough: the claim about the recipe, whose units are the pairs.
        signs: How the failure signatures have changed, for each of ``claims``.
        verdicts: The gate's verdict on each of ``claims``; none where nothing is gated.
        adjusted: Holm-adjusted p-values of improvement and harm by suite, over the comparisons of the matrix.
        problem: Why there is no comparison.
    """

    base: str
    candidate: str
    baseline: str
    suites: tuple[str, ...]
    pairs: tuple[tuple[int | None, Run, Run], ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    recipe: Comparison | None = None
    signs: tuple[tuple[Signature, ...], ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    adjusted: Mapping[str, tuple[float, float]] | None = None
    problem: str = ""

    @property
    def title(self) -> str:
        """``nano: with against without (quick-nlu + quick-general)``."""
        return f"{self.base}: {self.candidate} against {self.baseline} ({' + '.join(self.suites)})"

    @property
    def claims(self) -> tuple[Comparison, ...]:
        """What is claimed and gated: the comparison of recipes where there is one, else that of each pair."""
        return self.comparisons if self.recipe is None else (self.recipe,)

    @property
    def ruling(self) -> Ruling | None:
        """The worst of its verdicts."""
        found = {verdict.ruling for verdict in self.verdicts}
        return next((ruling for ruling in WORST_FIRST if ruling in found), None)


def compare_arms(plan: Plan) -> list[Held]:
    """Every comparison that the matrix asks for, of arms that belong to the plan."""
    held = [
        _held(plan, entry, base, suites)
        for entry in plan.matrix.compare
        for base in plan.matrix.bases
        for suites in plan.matrix.suites
        if all(label in {cell.name for cell in plan.cells.values()} for label in _arms(entry))
    ]
    return adjusted(held)


def _arms(entry: Compare) -> tuple[str, str]:
    return f"arm.{entry.candidate}", f"arm.{entry.baseline}"


def _held(plan: Plan, entry: Compare, base: str, suites: tuple[str, ...]) -> Held:
    blank = Held(base, entry.candidate, entry.baseline, suites)
    places = list(_places(plan, entry, base, suites))
    pairs = [
        (seed, plan.runs[ours], plan.runs[theirs])
        for seed, ours, theirs in places
        if ours in plan.runs and theirs in plan.runs
    ]
    if len(pairs) < len(places):
        missing = [place[0] for _, *both in places for place in both if place not in plan.runs]
        return replace(blank, problem=f"not compared, for want of runs of {', '.join(dict.fromkeys(missing))}")
    seeded = all(label_of(_arms(entry)[0], base, seed) in plan.cells for seed, _, _ in pairs)
    recipe = seeded and len(pairs) >= PAIRS and entry.claim != "checkpoint"
    policies = {name: plan.policies[entry.policies[name]] for name in suites if name in entry.policies}
    margins = Margins(**margins_of(list(policies.values()))) if policies else Margins()
    runs = [(ours, theirs) for _, ours, theirs in pairs]
    try:
        found = replace(
            blank,
            pairs=tuple(pairs),
            comparisons=tuple(compare(ours, theirs, margins) for ours, theirs in runs),
            recipe=compare_recipes(runs, margins, Scope()) if recipe else None,
        )
        found = replace(found, signs=_signs(found))
        return replace(found, verdicts=_ruled(found, policies) if policies else ())
    except HarnessError as error:
        return replace(blank, pairs=tuple(pairs), problem=str(error))


def _signs(found: Held) -> tuple[tuple[Signature, ...], ...]:
    """How the failure signatures have changed, for each of the claims."""
    runs = [(ours, theirs) for _, ours, theirs in found.pairs]
    if found.recipe is not None:
        return (recipe_changes(runs, found.recipe),)
    told = zip(runs, found.comparisons, strict=True)
    return tuple(signature_changes(ours, theirs, comparison) for (ours, theirs), comparison in told)


def _ruled(found: Held, policies: Mapping[str, Policy]) -> tuple[Verdict, ...]:
    """Verdicts; a matrix is fixed before its noise is known, so a lack of power is a finding and no refusal."""
    told = zip(found.claims, found.signs, strict=True)
    return tuple(gate(Evidence(claim, signs=signs), policies, allow_underpowered=True) for claim, signs in told)


def _places(
    plan: Plan, entry: Compare, base: str, suites: tuple[str, ...]
) -> Iterator[tuple[int | None, Place, Place]]:
    """Places of candidate and baseline for each seed, or once where neither has one."""
    candidate, baseline = _arms(entry)
    seeded = {cell.name for cell in plan.cells.values() if cell.seed is not None}
    for seed in plan.matrix.seeds if {candidate, baseline} & seeded else (None,):
        ours, theirs = (label_of(name, base, seed if name in seeded else None) for name in (candidate, baseline))
        yield seed, (ours, suites), (theirs, suites)


def adjusted(held: Sequence[Held]) -> list[Held]:
    """The comparisons with Holm's adjustment over all of them, suite by suite.

    Each suite answers a question of its own. Whoever picks the best of several arms has looked at all of them, so all
    comparisons of the matrix that moved a suite's headline are one family.
    """
    groups = [(number, group) for number, one in enumerate(held) for group in _headlines(one)]
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for suite in dict.fromkeys(group.name for _, group in groups):
        own = [(number, group) for number, group in groups if group.name == suite]
        better, worse = (holm([getattr(group, name) for _, group in own]) for name in ("p_improve", "p_harm"))
        for (number, _), up, down in zip(own, better, worse, strict=True):
            before = found.setdefault(number, {}).get(suite, (1.0, 1.0))
            found[number][suite] = (min(before[0], float(up)), min(before[1], float(down)))
    return [replace(one, adjusted=found.get(number, {})) for number, one in enumerate(held)]


def _headlines(one: Held) -> Iterator[GroupComparison]:
    for comparison in one.claims:
        yield from comparison.suites


def overall(held: Sequence[Held]) -> Ruling | None:
    """FAIL where a gated comparison fails, PASS where all pass, else INCONCLUSIVE; None where nothing is gated."""
    found = {ruling for one in held if (ruling := one.ruling) is not None}
    return next((ruling for ruling in WORST_FIRST if ruling in found), None)
