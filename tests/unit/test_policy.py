"""A policy is read strictly: what is not understood is refused by file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import load_catalog
from harness.errors import CardError, MissingInputError, UsageError
from harness.policy import load_policy, parse_policy, policy_names

MINIMAL = "policy: mine\nversion: 1\nsuite_margin: 0.01\n"

BROKEN = {
    "unknown field": ("suit_margin: 0.02\n", "line 4, field suit_margin", "did you mean suite_margin"),
    "margin in points": ("task_margin: 2\n", "line 4, field task_margin", "one point is 0.01"),
    "zero margin": ("task_margin: 0\n", "line 4, field task_margin", "impossible"),
    "negative margin": ("anchor: -0.01\n", "line 4, field anchor", "impossible"),
    "not a number": ("task_margin: .nan\n", "line 4, field task_margin", "no number"),
    "text for a number": ("alpha: five\n", "line 4, field alpha", "no number"),
    "truth for a number": ("improvement: yes\n", "line 4, field improvement", "no number"),
    "certain power": ("power: 1\n", "line 4, field power", "impossible"),
    "alpha of a coin": ("alpha: 0.5\n", "line 4, field alpha", "impossible"),
    "one task's margin": ("margins:\n  mmlu: 0.01\n  arc: 3\n", "line 6, field margins.arc", "impossible"),
    "margins as a list": ("margins: [mmlu]\n", "line 4, field margins", "no mapping"),
    "critical as text": ("critical: mmlu\n", "line 4, field critical", "no list"),
    "unknown rate": (
        "health:\n  parse_failures: 0.01\n",
        "line 5, field health.parse_failures",
        "did you mean parse_failure",
    ),
    "unknown sign": (
        "signatures:\n  format_gaps: 0.01\n",
        "line 5, field signatures.format_gaps",
        "did you mean format_gap",
    ),
    "sign in points": ("signatures: {format_gap: 5}\n", "field signatures.format_gap", "one point is 0.01"),
    "unknown choice": ("on_inconclusive: ignore\n", "line 4, field on_inconclusive", "fail or warn"),
    "given twice": ("suite_margin: 0.02\n", "line 4, field suite_margin", "given twice"),
    "unknown design": ("sequential: {design: peeking}\n", "line 4, field sequential.design", "betting or group"),
    "unknown detail": ("sequential: {chunks: 9}\n", "line 4, field sequential.chunks", "did you mean chunk"),
    "no design": ("sequential: betting\n", "line 4, field sequential", "no mapping"),
    "one look": ("sequential: {looks: 1}\n", "line 4, field sequential.looks", "2 or more"),
    "word for truth": ("sequential: {without_replacement: 1}\n", "sequential.without_replacement", "true or false"),
    "no YAML": ("margins: {a: [\n", "line 5", "not valid YAML"),
}


@pytest.mark.parametrize(("line", "place", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_policy_names_file_line_and_field(line: str, place: str, reason: str) -> None:
    """Each mistake is refused with exit code 65, the place, and what to write instead."""
    with pytest.raises(CardError) as refused:
        parse_policy(MINIMAL + line, "gate.yaml")
    assert str(refused.value).startswith("gate.yaml, ")
    assert place in str(refused.value)
    assert reason in str(refused.value)
    assert refused.value.exit_code == 65


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    """An empty file is no policy."""
    with pytest.raises(CardError, match="does not hold a mapping"):
        parse_policy(text, "gate.yaml")


def test_a_policy_that_demands_nothing_is_refused() -> None:
    """Without a claim that has to be shown everything would pass."""
    with pytest.raises(CardError, match="nothing would have to be shown"):
        parse_policy("policy: mine\nversion: 1\ntask_margin: 0.02\n", "gate.yaml")


@pytest.mark.parametrize("name", ["policy", "version"])
def test_name_and_version_are_required(name: str) -> None:
    """A verdict must be able to say which policy it applied."""
    text = "".join(line for line in MINIMAL.splitlines(keepends=True) if not line.startswith(name))
    with pytest.raises(CardError, match=f"field {name}: is missing"):
        parse_policy(text, "gate.yaml")


def test_every_field_arrives() -> None:
    """What the file says is what the gate is told."""
    text = MINIMAL + (
        "task_margin: 0.03\nmargins: {mmlu: 0.005}\ncritical: [mmlu, arc, mmlu]\nimprovement: 0.02\n"
        "health: {parse_failure: 0.01}\npower: 0.9\nalpha: 0.01\ndiscordance: 0.1\non_inconclusive: warn\n"
        "require_aa: 0.02\nanchor: 0.02\nsignatures: {format_gap: 0.1}\n"
    )
    policy = parse_policy(text, "gate.yaml")
    assert (policy.policy, policy.version, policy.critical) == ("mine", "1", ("mmlu", "arc"))
    assert (policy.margin("mmlu"), policy.margin("arc")) == (0.005, 0.03)
    assert (policy.power, policy.alpha, policy.discordance, policy.improvement) == (0.9, 0.01, 0.1, 0.02)
    assert (policy.health, policy.on_inconclusive, policy.require_aa, policy.anchor) == (
        {"parse_failure": 0.01}, "warn", 0.02, 0.02,
    )  # fmt: skip
    assert policy.signatures == {"format_gap": 0.1}
    assert policy.digest != parse_policy(text + "# a remark\n", "gate.yaml").digest


def test_the_defaults_are_those_of_the_documentation() -> None:
    """The general policy: one point for the headline, two for a task, 80 % power, one-sided 5 %."""
    policy = load_policy("general")
    assert (policy.suite_margin, policy.task_margin, policy.power, policy.alpha) == (0.01, 0.02, 0.8, 0.05)
    assert load_policy("nlu").improvement is not None


def test_every_suite_names_a_policy_that_exists() -> None:
    """No suite of ours sends its gate to a policy that is not there."""
    catalog = load_catalog()
    assert {catalog.suite(name).policy for name in catalog.suites} <= set(policy_names())


def test_unknown_policies_are_refused(tmp_path: Path) -> None:
    """A misspelt name is usage (64), a file that is not there is missing input (66)."""
    with pytest.raises(UsageError, match="did you mean general"):
        load_policy("generall")
    with pytest.raises(MissingInputError, match="is not there"):
        load_policy(str(tmp_path / "gate.yaml"))
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"policy: \xff")
    with pytest.raises(CardError, match="cannot be read"):
        load_policy(str(path))
