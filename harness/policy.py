"""A gate's policy: a short YAML file that fixes, before any result is seen, what has to be shown.

Margins, levels and claims are read strictly: an unknown field or an impossible number is refused with its file, line
and field, because a policy that is misread in silence lets everything pass.
"""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from harness.errors import CardError, MissingInputError, UsageError
from harness.nouns import Claim
from harness.scores import HEALTH
from harness.signs import SIGNS

ON_INCONCLUSIVE = ("fail", "warn")
DESIGNS = ("betting", "group")


@dataclass(frozen=True, slots=True)
class Sequential:
    """How a gate that may stop early looks at its items; fixed before the first one is scored.

    Attributes:
        design: ``betting`` may stop after any chunk, ``group`` at planned looks.
        chunk: Items between two glances of a betting design.
        looks: Planned looks of a group design.
        rho: How the group design spends alpha over its looks: 2 evenly late, 3 later, 1 early.
        without_replacement: A betting claim about the full benchmark; otherwise about the population behind its items.
        seed: Seed of the random order of the items.
    """

    design: str = "betting"
    chunk: int = 100
    looks: int = 5
    rho: float = 2.0
    without_replacement: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """What a gate demands. Margins, gains and rates are in [0, 1]: one point is 0.01.

    Attributes:
        policy: Its name.
        version: Its version.
        suite_margin: The headline of a suite may not fall by this much; None makes no such claim.
        task_margin: A harmed task passes only where it is shown not to have fallen by this much.
        margins: Margins of single tasks, instead of ``task_margin``.
        critical: Tasks that must be shown not to have fallen by their margin.
        improvement: The headline must be shown to have risen; the number is the gain that the plan must be able to
            show. None makes no such claim.
        health: Per health rate, how much its mean over the tasks may rise.
        signatures: Per failure signature, how much it may become worse.
        power: Least chance with which the plan must settle each claim that has to be shown.
        alpha: One-sided error of each claim, and of all harm tests together.
        discordance: Share of items that is expected to flip, for the plan; None takes the comparison's own error.
        on_inconclusive: ``fail`` or ``warn``: what an INCONCLUSIVE verdict does to the exit code.
        require_aa: Largest flip rate of the noise floor; a gate then needs an A/A run. None asks for none.
        anchor: The headline may not fall by this much against the anchor, which a gate then needs. None asks for none.
        sequential: Design of a gate that may stop early; None leaves it to the command line.
        digest: SHA-256 of the file.
    """

    policy: str
    version: str
    suite_margin: float | None = None
    task_margin: float = 0.02
    margins: Mapping[str, float] = field(default_factory=dict)
    critical: tuple[str, ...] = ()
    improvement: float | None = None
    health: Mapping[str, float] = field(default_factory=dict)
    signatures: Mapping[str, float] = field(default_factory=dict)
    power: float = 0.8
    alpha: float = 0.05
    discordance: float | None = None
    on_inconclusive: str = "fail"
    require_aa: float | None = None
    anchor: float | None = None
    sequential: Sequential | None = None
    digest: str = ""

    def margin(self, task: str) -> float:
        """The margin of a task."""
        return self.margins.get(task, self.task_margin)


def watched(claim: Claim) -> bool:
    """Whether a verdict can do without this claim's PASS: it watches a task, and can only fail."""
    return ": watched task " in claim.claim


def policy_names() -> list[str]:
    """Names of the policies that ship with the package."""
    return sorted(Path(entry.name).stem for entry in (files("harness") / "assets" / "policies").iterdir())


def load_policy(reference: str) -> Policy:
    """Read a policy.

    Args:
        reference: Path of a YAML file, or the name of a policy that ships with the package.

    Raises:
        MissingInputError: There is no such file.
        UsageError: It is neither a file nor a known name.
        CardError: The file breaks the contract; the message names file, line and field.
    """
    path = Path(reference)
    if path.is_file():
        return parse_policy(_read(path), reference)
    names = policy_names()
    if reference in names:
        text = (files("harness") / "assets" / "policies" / f"{reference}.yaml").read_text(encoding="utf-8")
        return parse_policy(text, f"policy {reference}")
    if path.suffix or len(path.parts) > 1:
        raise MissingInputError(f"Policy {reference}", "is not there", f"name a YAML file, or {' or '.join(names)}")
    raise UsageError(f"Policy {reference!r}", "is not known", _nearest(reference, names) or f"see {', '.join(names)}")


def margins_of(policies: Sequence[Policy]) -> dict[str, Any]:
    """Margins to compare at, as keywords of ``harness.compare.Margins``: of several policies the tightest."""
    names = {task for policy in policies for task in policy.margins}
    suite = [policy.suite_margin for policy in policies if policy.suite_margin is not None]
    return {
        "task": min(policy.task_margin for policy in policies),
        "tasks": {name: min(policy.margin(name) for policy in policies) for name in names},
        **({"suite": min(suite)} if suite else {}),
    }


def parse_policy(text: str, place: str) -> Policy:
    """The policy that a YAML text states.

    Args:
        text: The content of the file.
        place: What messages call it.

    Raises:
        CardError: Unknown, missing or repeated fields, values of the wrong kind, impossible numbers, no claim at all.
    """
    page = _Page.read(text, place)
    known = {item.name for item in fields(Policy)} - {"digest"}
    for name in page.content:
        if name not in known:
            hint = _nearest(name, known) or "see docs/gating.md"
            raise page.broken(name, "is not a known field", hint)
    for name in ("policy", "version"):
        if page.content.get(name) is None:
            raise page.broken(name, "is missing", "add it")
    values = {name: _READERS[name](page, name, value) for name, value in page.content.items() if value is not None}
    found = Policy(**values, digest=hashlib.sha256(text.encode()).hexdigest())
    if found.suite_margin is None and found.improvement is None and not found.critical and not found.signatures:
        raise page.broken(
            "suite_margin", "is missing, as are improvement, critical and signatures: nothing would have to be shown",
            "state one of them",
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class _Page:
    """A policy file: its values, and the line of each of its keys."""

    place: str
    content: Mapping[str, Any]
    lines: Mapping[str, int]

    @classmethod
    def read(cls, text: str, place: str) -> _Page:
        try:
            node, content = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark is not None else ""
            reason = f"is not valid YAML ({getattr(error, 'problem', None) or error})"
            raise CardError(f"{place}{line}", reason, "correct it") from error
        if not isinstance(node, yaml.MappingNode):
            raise CardError(place, "does not hold a mapping", "write field: value pairs; see docs/gating.md")
        lines: dict[str, int] = {}
        for name, number in _keys(node):
            if name in lines:
                raise CardError(f"{place}, line {number}, field {name}", "is given twice", "keep one of them")
            lines[name] = number
        return cls(place, {str(name): value for name, value in content.items()}, lines)

    def broken(self, name: str, reason: str, next_step: str) -> CardError:
        """The error for a field; a field of a mapping is named ``mapping.key``."""
        return CardError(f"{self.place}, line {self.lines.get(name, 1)}, field {name}", reason, next_step)


def _keys(node: yaml.MappingNode, prefix: str = "") -> Iterable[tuple[str, int]]:
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        yield name, key.start_mark.line + 1
        if isinstance(value, yaml.MappingNode):
            yield from _keys(value, f"{name}.")


def _number(low: float, high: float, advice: str) -> Callable[[_Page, str, Any], float]:
    def read(page: _Page, name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise page.broken(name, f"is {value!r}, no number", advice)
        if not low < value < high:
            raise page.broken(name, f"is {value:g}, which is impossible", advice)
        return float(value)

    return read


_margin = _number(0.0, 1.0, "give a number above 0 and below 1; one point is 0.01")


def _text(page: _Page, name: str, value: Any) -> str:
    if isinstance(value, list | dict) or not str(value).strip():
        raise page.broken(name, f"is {value!r}, no text", "write one word")
    return str(value)


def _choice(allowed: Sequence[str]) -> Callable[[_Page, str, Any], str]:
    def read(page: _Page, name: str, value: Any) -> str:
        if value not in allowed:
            raise page.broken(name, f"is {value!r}", f"write {' or '.join(allowed)}")
        return str(value)

    return read


def _names(page: _Page, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise page.broken(name, f"is {value!r}, no list of names", "write a list, such as [mmlu, arc_easy]")
    return tuple(dict.fromkeys(value))


def _margins(page: _Page, name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise page.broken(name, f"is {value!r}, no mapping", "write name: margin pairs")
    return {str(key): _margin(page, f"{name}.{key}", entry) for key, entry in value.items()}


def _margins_of(known: Iterable[str], what: str, place: str) -> Callable[[_Page, str, Any], dict[str, float]]:
    def read(page: _Page, name: str, value: Any) -> dict[str, float]:
        margins = _margins(page, name, value)
        for entry in margins:
            if entry not in known:
                raise page.broken(f"{name}.{entry}", f"is not a known {what}", _nearest(entry, known) or f"see {place}")
        return margins

    return read


def _whole(low: int) -> Callable[[_Page, str, Any], int]:
    def read(page: _Page, name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise page.broken(name, f"is {value!r}", f"give a whole number of {low} or more")
        return value

    return read


def _truth(page: _Page, name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise page.broken(name, f"is {value!r}", "write true or false")
    return value


def _sequential(page: _Page, name: str, value: Any) -> Sequential:
    if not isinstance(value, dict):
        raise page.broken(name, f"is {value!r}, no mapping", "write sequential: {design: betting}")
    readers: Mapping[str, Callable[[_Page, str, Any], Any]] = {
        "design": _choice(DESIGNS), "chunk": _whole(1), "looks": _whole(2),
        "rho": _number(0.0, 10.0, "give a number above 0, such as 2"), "without_replacement": _truth, "seed": _whole(0),
    }  # fmt: skip
    for key in value:
        if key not in readers:
            hint = _nearest(str(key), readers) or "see docs/gating.md"
            raise page.broken(f"{name}.{key}", "is not a known field", hint)
    return Sequential(**{key: readers[key](page, f"{name}.{key}", entry) for key, entry in value.items()})


_READERS: Mapping[str, Callable[[_Page, str, Any], Any]] = {
    "policy": _text,
    "version": _text,
    "suite_margin": _margin,
    "task_margin": _margin,
    "margins": _margins,
    "critical": _names,
    "improvement": _margin,
    "health": _margins_of(HEALTH, "health rate", "docs/metrics.md"),
    "signatures": _margins_of(SIGNS, "failure signature", "docs/signatures.md"),
    "power": _number(0.0, 1.0, "give a number above 0 and below 1, such as 0.8"),
    "alpha": _number(0.0, 0.5, "give a number above 0 and below 0.5, such as 0.05"),
    "discordance": _margin,
    "on_inconclusive": _choice(ON_INCONCLUSIVE),
    "require_aa": _margin,
    "anchor": _margin,
    "sequential": _sequential,
}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}", f"cannot be read ({error})", "make it a readable UTF-8 file") from error


def _nearest(name: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"did you mean {', '.join(close)}?" if close else None
