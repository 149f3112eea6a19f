"""Where the numbers come from: the checkpoint and settings of every run, and the data and rule of every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from harness.nouns import Run
from harness.report.people import SHORT_ID
from harness.report.scores import limit_of, task_entries
from harness.show import duration, percent
from harness.show.exposure import NOT_CHECKED, exposure_notes
from harness.show.facts import engine_of, mapping
from harness.show.outcome import HEALTH_SHOWN
from harness.store import Checked
from harness.store.manifest import items_file
from harness.store.samples import sample_file

Facts = list[tuple[str, str]]

_OWN = ("Run", "Date", "Time", "Signature")


def origins_of(
    runs: Sequence[Run], labels: Mapping[str, str], checked: Mapping[str, Sequence[Checked]]
) -> list[dict[str, Any]]:
    """Per run what was scored and how, as names and values.

    Args:
        runs: The runs.
        labels: Their names by run id.
        checked: What their training data was checked for, by run id.
    """
    return [
        {
            "id": f"run-{number}",
            "label": labels[run.id],
            "full": run.id,
            "short": run.id[:SHORT_ID],
            "date": str(run.manifest["date"])[:10],
            "status": run.manifest["status"],
            "reasons": list(run.manifest.get("reasons") or ()),
            "facts": [(name, value) for name, value in _facts(run, checked.get(run.id, ())) if value],
            "health": _health(run),
        }
        for number, run in enumerate(runs, 1)
    ]


def _facts(run: Run, checks: Sequence[Checked]) -> Facts:
    manifest = run.manifest
    checkpoint, engine = mapping(manifest["checkpoint"]), mapping(manifest["engine"])
    seeds = mapping(manifest["seeds"])
    return [
        ("Run", run.id),
        ("Date", str(manifest["date"])),
        ("Checkpoint", str(checkpoint.get("reference") or "unknown")),
        ("Revision", str(checkpoint.get("revision") or "")),
        ("Adapter", str(checkpoint.get("adapter") or "")),
        *((f"Digest of {name}", str(digest)) for name, digest in sorted(mapping(checkpoint.get("digests")).items())),
        ("Parent", str(checkpoint.get("parent") or "")),
        ("Producer", str(checkpoint.get("producer") or "not recorded")),
        ("Suites", "; ".join(map(_suite, manifest["suites"]))),
        ("Engine", engine_of(manifest)),
        ("Device", str(engine.get("device") or "")),
        ("Context", f"{engine['context']:,} tokens" if isinstance(engine.get("context"), int) else ""),
        ("Model arguments", _pairs(mapping(engine.get("arguments")))),
        ("Prompts", _prompting(manifest)),
        ("Generation", _pairs(mapping(manifest.get("gen_kwargs")))),
        ("Items", limit_of(manifest.get("limit")) or "all"),
        ("Seeds", _pairs(seeds)),
        ("Time", duration(float(manifest["seconds"])) if manifest.get("seconds") is not None else ""),
        ("Contamination", _contamination(run, checks)),
        ("Versions", ", ".join(f"{name} {value}" for name, value in mapping(manifest["versions"]).items())),
        ("Signature", str(manifest["signature"])),
    ]


def differing(origins: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the facts in which the runs of a page differ, but for those that no two runs share."""
    facts = [dict(origin["facts"]) for origin in origins]
    names = dict.fromkeys(name for own in facts for name in own)
    return [name for name in names if name not in _OWN and len({own.get(name) for own in facts}) > 1]


def _suite(entry: Mapping[str, Any]) -> str:
    parts = (f"{entry['name']} {entry.get('version') or ''}".strip(), str(entry.get("digest") or "")[:SHORT_ID])
    policy = f"policy {entry['policy']}" if entry.get("policy") else ""
    return ", ".join(part for part in (*parts, policy) if part)


def _contamination(run: Run, checks: Sequence[Checked]) -> str:
    """Per suite which share of its items stands in the training data, and what that was held against."""
    told = []
    for suite in run.manifest["suites"]:
        notes = [" – ".join(parts) for parts in exposure_notes(suite, checks)]
        told.append(f"{suite['name']}: " + ("; ".join(notes) or NOT_CHECKED))
    return ". ".join(told)


def _prompting(manifest: Mapping[str, Any]) -> str:
    prompting = mapping(manifest.get("prompting"))
    template = prompting.get("chat_template")
    system = prompting.get("system_instruction")
    parts = [f"chat template {manifest.get('chat_template') or 'of the tokenizer'}" if template else "no chat template"]
    return ", ".join([*parts, f"system prompt “{system}”"] if system else parts)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def _health(run: Run) -> dict[str, Any]:
    """Health rates of a run: a column per rate that occurs, beside that of the gold; a row per task with one."""
    rates = {name: mapping(entry.get("health")) for name, entry in task_entries(run).items()}
    occur = {rate for own in rates.values() for rate, value in own.items() if value}
    columns = sorted(occur, key=lambda rate: (rate.removeprefix("gold_"), rate))
    rows = [(task, [own.get(rate) for rate in columns]) for task, own in rates.items() if any(own.values())]
    return {
        "columns": [name.replace("_", " ") for name in columns],
        "rows": [
            (task, [("" if value is None else percent(value), (value or 0) >= HEALTH_SHOWN) for value in own])
            for task, own in rows
        ],
        "clean": len(rates) - len(rows),
    }


def tasks_of(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Per task its data, licence, rule and records; of a task that runs ask differently each form."""
    shown: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        for name, entry in task_entries(run).items():
            key = (name, str(entry.get("digest") or ""))
            shown.setdefault(key, _task(run, name, entry))["runs"] += 1
    ids = anchors([name for name, _ in shown])
    return [task | {"id": ids[number]} for number, task in enumerate(shown.values())]


def _task(run: Run, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    place = [str(entry.get(part)) for part in ("config", "split") if entry.get(part)]
    revision = str(entry.get("revision") or "")
    return {
        "name": name,
        "data": " / ".join([str(entry.get("dataset") or "unknown"), *place]),
        "revision": revision[:SHORT_ID] if len(revision) == 40 else revision,
        "licence": str(entry.get("licence") or "not recorded"),
        "matching": str(entry.get("matching") or ""),
        "unit": str(entry.get("unit") or "item"),
        "fewshot": entry.get("num_fewshot"),
        "version": str(entry.get("version") or ""),
        "digest": str(entry.get("digest") or "")[:SHORT_ID],
        "source": str(entry.get("source") or ""),
        "count": entry.get("items"),
        "of": entry.get("of"),
        "records": items_file(name),
        "texts": sample_file(run, name),
        "runs": 0,
    }


def anchors(names: Sequence[str]) -> list[str]:
    """An id per name for links: what a name has of letters and digits, and a number where two are the same then."""
    found: dict[str, None] = {}
    for name in names:
        stem = "task-" + "".join(char if char.isascii() and char.isalnum() else "-" for char in name)
        forms = (stem if place == 1 else f"{stem}--{place}" for place in count(1))
        found[next(form for form in forms if form not in found)] = None
    return list(found)


def licences_of(tasks: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Licences of the data and the data sets under each."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        dataset = task["data"].partition(" / ")[0]
        if dataset not in found.setdefault(task["licence"], []):
            found[task["licence"]].append(dataset)
    return list(found.items())
