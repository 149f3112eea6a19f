"""``harness gate``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.cli.options import json_option
from harness.cli.runs import baseline_of, is_pointer, run_of
from harness.errors import HarnessError, UsageError
from harness.nouns import Comparison, Run, Signature, Verdict
from harness.policy import DESIGNS, ON_INCONCLUSIVE, Policy

_PATH = click.Path(path_type=Path)


@click.command(
    "gate",
    epilog="""\b
Examples:
  harness gate latest --baseline baseline.json
  harness gate 3f9a --baseline 77c1 --policy gate.yaml --markdown report.md --junit junit.xml
  harness gate lm_eval_output/org__model --baseline baseline.json --on_inconclusive warn
  harness gate --run pretrained=./checkpoint --baseline 77c1 --sequential betting
\b
Exit codes: 0 PASS, 1 FAIL, 2 INCONCLUSIVE, 64 and up: no verdict.""",
)
@click.argument("candidate", required=False)
@click.option("--baseline", required=True, help="Run, or pointer file of harness baseline.")
@click.option("--policy", "-p", help="YAML file, or general or nlu; default: what each suite names.")
@click.option("--anchor", help="Fixed older run, or pointer file that names one; default: the pointer's own.")
@click.option("--aa", help="Second run of the baseline's checkpoint, for the noise floor.")
@click.option("--store", type=_PATH, default=Path("runs"), show_default=True, help="Folder of the run store.")
@click.option("--allow_underpowered", is_flag=True, help="Rule INCONCLUSIVE where the plan lacks power; do not refuse.")
@click.option(
    "--on_inconclusive", type=click.Choice(ON_INCONCLUSIVE), help="Exit 2, or 0 with a warning; default: the policy's."
)
@click.option("--output", "-o", type=_PATH, help="Write gate.json.")
@click.option("--markdown", type=_PATH, help="Write the report for a step summary or a comment.")
@click.option("--junit", type=_PATH, help="Write JUnit XML.")
@click.option("--annotations", is_flag=True, help="Print GitHub annotations.")
@click.option(
    "--run",
    "run",
    metavar="MODEL_ARGS",
    help="Score this checkpoint now, until the verdict stands; needs no CANDIDATE.",
)
@click.option("--sequential", type=click.Choice(DESIGNS), help="Design of --run; default: the policy's.")
@click.option("--model", "-M", default="tree", show_default=True, help="lm-eval model name of --run.")
@click.option("--batch_size", "-b", default="auto", show_default=True, help="Documents per batch of --run.")
@click.option("--device", help="Torch device of --run.")
@click.option("--mirror", type=_PATH, help="Local mirror of datasets for --run; or set HARNESS_MIRROR.")
@click.option("--include_path", multiple=True, type=_PATH, help="Folder with cards and suites for --run.")
@json_option
def command(candidate: str | None, as_json: bool, **options: Any) -> int:
    """Hold a candidate against a baseline: PASS, FAIL or INCONCLUSIVE, with reasons.

    CANDIDATE is a run folder, the beginning of a run id, latest, or the output folder of stock lm-eval. What has to be
    shown is fixed in the policy; see docs/gating.md.
    """
    outputs = _Outputs(options["output"], options["markdown"], options["junit"], options["annotations"], as_json)
    outputs.clear()
    try:
        document = _document(candidate, options)
    except HarnessError as error:
        outputs.refused(str(error))
        raise
    outputs.write(document)
    from harness.gate.screen import show_verdict

    return show_verdict(document, as_json)


def _document(candidate: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    from harness.gate.document import verdict_document

    if (candidate is None) == (options["run"] is None):
        raise UsageError(
            "The gate", "needs a CANDIDATE or --run, and not both", "name a run, or a checkpoint with --run"
        )
    if candidate is None:
        return _sequential(options)
    if options["sequential"] is not None:
        raise UsageError("--sequential", "is for a checkpoint that is scored now", "pass --run, or leave it out")
    runs = _runs(candidate, options)
    policies = policies_of(options["policy"], runs)
    verdict = verdict_of(runs, policies, options["allow_underpowered"])
    warn = all(policy.on_inconclusive == "warn" for policy in policies.values())
    return verdict_document(verdict, runs, options["on_inconclusive"] or ("warn" if warn else "fail"))


def _sequential(options: Mapping[str, Any]) -> dict[str, Any]:
    """Score a checkpoint against a stored baseline until the verdict stands."""
    from harness.cli.gate_sequential import request_like, the_design, the_policy
    from harness.engines.job import prepare
    from harness.gate.document import verdict_document
    from harness.gate.sequential import gate_job
    from harness.show import RunScreen

    for name in ("anchor", "aa"):
        if options[name] is not None:
            raise UsageError(f"--{name}", "is not judged by a sequential gate", "leave it out, or gate a stored run")
    baseline = baseline_of(options["baseline"], options["store"])
    policy = the_policy(options["policy"], baseline)
    design = the_design(options["sequential"], policy)
    job = prepare(request_like(baseline, options), RunScreen().stage)
    verdict, told = gate_job(job, baseline, policy, design)
    runs = {"candidate": None, "baseline": baseline, "anchor": None, "aa": None}
    document = verdict_document(verdict, runs, options["on_inconclusive"] or policy.on_inconclusive)
    return {**document, "sequential": told}


def _runs(candidate: str, options: Mapping[str, Any]) -> dict[str, Run | None]:
    store = options["store"]
    ours = run_of(candidate, store)
    baseline, pointed_anchor = _held_against(options["baseline"], ours, store)
    anchor = options["anchor"]
    if anchor is not None and is_pointer(anchor):
        pointed_anchor = _held_against(anchor, ours, store)[1]
        if pointed_anchor is None:
            raise UsageError(f"Pointer {anchor}", "has no anchor", "accept one with harness baseline accept --anchor")
    elif anchor is not None:
        pointed_anchor = run_of(anchor, store)
    aa = None if options["aa"] is None else run_of(options["aa"], store)
    return {"candidate": ours, "baseline": baseline, "anchor": pointed_anchor, "aa": aa}


def _held_against(reference: str, candidate: Run, store: Path) -> tuple[Run, Run | None]:
    """The run that a reference names and, where it is a pointer with an anchor, the anchor."""
    if not is_pointer(reference):
        return run_of(reference, store), None
    from harness.baseline import pointed_run, read_pointer, refuse_other_suites

    path = Path(reference)
    pointer = read_pointer(path)
    entries = [pointer.baseline] if pointer.anchor is None else [pointer.baseline, pointer.anchor]
    for entry in entries:
        refuse_other_suites(path, entry, candidate)
    found = [pointed_run(path, entry, store) for entry in entries]
    return found[0], found[1] if len(found) > 1 else None


def policies_of(reference: str | None, runs: Mapping[str, Run | None]) -> dict[str, Policy]:
    """Policy per suite: the given one for all, or what each suite names."""
    from harness.policy import load_policy

    suites = {
        suite["name"]: suite.get("policy") or "general"
        for role in ("baseline", "candidate")
        if (run := runs[role]) is not None
        for suite in run.manifest["suites"]
    }
    return {name: load_policy(reference or policy) for name, policy in suites.items()}


def verdict_of(runs: Mapping[str, Run | None], policies: Mapping[str, Policy], allow_underpowered: bool) -> Verdict:
    """The verdict on ``candidate`` and ``baseline``, with ``anchor`` and ``aa`` where there are any."""
    from harness.compare import Margins, Scope, compare
    from harness.gate import Evidence, gate
    from harness.policy import margins_of

    candidate, baseline, anchor, aa = (runs[role] for role in ("candidate", "baseline", "anchor", "aa"))
    assert candidate is not None
    assert baseline is not None
    margins = Margins(**margins_of(list(policies.values())))
    comparison = compare(candidate, baseline, margins)
    evidence = Evidence(
        comparison,
        None if anchor is None else compare(candidate, anchor, margins),
        None if aa is None else compare(aa, baseline, margins, Scope(aa=True)),
        _signs(candidate, baseline, comparison) if any(policy.signatures for policy in policies.values()) else (),
    )
    return gate(evidence, policies, allow_underpowered)


def _signs(candidate: Run, baseline: Run, comparison: Comparison) -> tuple[Signature, ...]:
    from harness.signatures import signature_changes

    return signature_changes(candidate, baseline, comparison)


@dataclass(frozen=True)
class _Outputs:
    """Where a gate writes beside the screen."""

    document: Path | None
    markdown: Path | None
    junit: Path | None
    annotations: bool
    as_json: bool

    def clear(self) -> None:
        """Remove what an earlier gate wrote: a stale PASS must not be read as this one's."""
        from harness.store.disk import writing

        for path in (self.document, self.markdown, self.junit):
            if path is not None:
                with writing(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.unlink(missing_ok=True)

    def write(self, document: Mapping[str, Any]) -> None:
        """Write every form that is asked for."""
        import json

        from harness.gate.ci import junit, workflow_commands
        from harness.gate.markdown import markdown

        _write(self.document, lambda: json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        _write(self.markdown, lambda: markdown(document))
        _write(self.junit, lambda: junit(document))
        if self.annotations:
            self._print(workflow_commands(document))

    def refused(self, sentence: str) -> None:
        """Say in every form for people that there is no verdict; there is no gate.json then."""
        from harness.gate.ci import annotation, refusal_junit
        from harness.gate.markdown import refusal_markdown

        _write(self.markdown, lambda: refusal_markdown(sentence))
        _write(self.junit, lambda: refusal_junit(sentence))
        if self.annotations:
            self._print([annotation("error", "Gate: no verdict", sentence)])

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            click.echo(line, err=self.as_json)  # with --json stdout holds one document


def _write(path: Path | None, text: Callable[[], str]) -> None:
    if path is not None:
        from harness.store.disk import writing

        with writing(path):
            path.write_text(text(), encoding="utf-8")
