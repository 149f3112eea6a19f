"""From items to records: ask the model batch by batch, count each answer, survive what can be survived.

A batch is a fixed set of rows (``batches.py``), so that a resumed run ends in the very same records.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.engines.batches import affordable
from harness.engines.items import Item, requests_of
from harness.engines.models import LoadedModel, free_memory, is_out_of_memory
from harness.engines.tasks import BuiltTask, counts_of
from harness.errors import UnavailableError
from harness.nouns import Counts, Record


@dataclass(frozen=True)
class Batch:
    """Records of one batch, and the rows of lm-eval's sample log that stand behind them."""

    records: list[Record]
    samples: list[dict[str, Any]]


def score_batch(built: BuiltTask, model: LoadedModel, batch: Sequence[Item], cut: set[int]) -> Batch:
    """Ask one batch and count its answers.

    Args:
        built: The task.
        model: The model; its ``batch`` is halved, for good, where memory does not suffice.
        batch: Items of this task.
        cut: Row numbers whose prompt exceeds the context.

    Raises:
        UnavailableError: Memory does not suffice for a single item, or the backend is gone.
    """
    try:
        _answer(model, batch)
    except Exception as error:  # a backend's own exceptions: memory is survivable, an endpoint's failure is data
        if is_out_of_memory(error):
            return _smaller(built, model, batch, cut, error)
        if not _is_service_error(error):
            raise
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
        return Batch([_record(built, item, {}, None, f"no answer ({reason})") for item in batch], [])
    built.lm_task._instances = [instance for item in batch for instance in item.instances]
    built.lm_task.apply_filters()
    outcomes = [_outcome(built, model, item, item.doc_id in cut) for item in batch]
    for item in batch:
        for instance in item.instances:
            instance.resps, instance.filtered_resps = [], {}
    return Batch([record for record, _ in outcomes], [row for _, rows in outcomes for row in rows])


def _answer(model: LoadedModel, batch: Sequence[Item]) -> None:
    if hasattr(model.lm, "batch_size_per_gpu"):  # the tree asks stock with it where its self-check fails
        longest = max(batch, key=lambda item: item.longest)
        model.lm.batch_size_per_gpu = min(len(batch), affordable(model, longest)) if model.shares else len(batch)
    for kind, requests in requests_of(batch).items():
        for instance in requests:
            instance.resps = []
        with _silent_progress():
            responses = (
                getattr(model.lm, kind)(requests, disable_tqdm=True)
                if _is_local(model)
                else _plainly(model, kind, requests)
            )
        for response, instance in zip(responses, requests, strict=True):
            instance.resps.append(response)


def _plainly(model: LoadedModel, kind: str, requests: list[Any]) -> Any:
    return getattr(model.lm, kind)(requests)


def _is_local(model: LoadedModel) -> bool:
    from lm_eval.api.model import TemplateLM

    return isinstance(model.lm, TemplateLM)


class _silent_progress:  # noqa: N801
    """lm-eval logs one warning per truncated prompt; the harness counts them instead."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("lm_eval")
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)


def _smaller(built: BuiltTask, model: LoadedModel, batch: Sequence[Item], cut: set[int], error: BaseException) -> Batch:
    free_memory()
    if len(batch) == 1:
        raise UnavailableError(
            f"Task {built.task.name}", "does not fit into memory even one item at a time",
            "use a smaller dtype (dtype=bfloat16), another device, or a shorter max_length",
        ) from error  # fmt: skip
    model.batch = max(1, len(batch) // 2)
    model.notes.append(f"memory ran out in {built.task.name}; batch size reduced to {model.batch}")
    parts = [batch[start : start + model.batch] for start in range(0, len(batch), model.batch)]
    done = [score_batch(built, model, part, cut) for part in parts]
    return Batch([record for part in done for record in part.records], [row for part in done for row in part.samples])


def _is_service_error(error: BaseException) -> bool:
    """Whether a backend's exception is about the service (an endpoint, a connection), not about our request."""
    names = {cls.__name__ for cls in type(error).__mro__}
    services = {
        "ConnectionError",
        "TimeoutError",
        "RetryError",
        "ClientError",
        "HTTPError",
        "APIError",
        "RequestException",
    }
    return bool(names & services)


def _outcome(built: BuiltTask, model: LoadedModel, item: Item, cut: bool) -> tuple[Record, list[dict[str, Any]]]:
    if problem := _unusable(item):
        return _record(built, item, {}, None, problem), []
    filtered = {name: [instance.filtered_resps[name] for instance in item.instances] for name in _filter_names(item)}
    try:
        metrics = {name: built.lm_task.process_results(item.doc, answers) for name, answers in filtered.items()}
        samples = _samples(item, filtered[built.task.filter])
        values = [built.lm_task.process_results(item.doc, answers) for answers in samples[1:]]
    except Exception as error:  # a card's own code; one bad item is data, not a crash
        return _record(built, item, {}, None, f"cannot be counted ({type(error).__name__}: {error})"), []
    counts = _averaged([metrics[built.task.filter], *values], built.folds) | _engine_rates(model, item, cut)
    predictions = [_prediction(item, answers) for answers in samples]
    record = _record(built, item, counts, predictions[0] if len(predictions) == 1 else predictions, None)
    return record, [_sample_row(item, name, filtered[name], metrics[name]) for name in filtered]


def _samples(item: Item, filtered: list[Any]) -> list[list[Any]]:
    """Answers per decoding sample; one list where the card asks once, or where its filter makes one of several."""
    repeats = min(len(instance.resps) for instance in item.instances)
    if filtered != [instance.resps[0] for instance in item.instances]:
        return [filtered]
    return [filtered, *([instance.resps[k] for instance in item.instances] for k in range(1, repeats))]


def _averaged(values: Sequence[Mapping[str, Any]], folds: Mapping[str, Any]) -> dict[str, Counts]:
    """Counts of one item, averaged over its decoding samples: the item stays the unit of every test."""
    counts = [{name: counts_of(value) for name, value in metrics.items() if name in folds} for metrics in values]
    return {
        name: tuple(sum(parts) / len(counts) for parts in zip(*(each[name] for each in counts), strict=True))
        for name in counts[0]
    }


def _record(built: BuiltTask, item: Item, counts: dict[str, Counts], prediction: Any, error: str | None) -> Record:
    return Record(
        task=built.task.name,
        item=item.item,
        doc_id=item.doc_id,
        cluster=_cluster(built, item),
        counts=counts,
        prediction=prediction,
        prompt_hash=item.prompt_hash,
        target_hash=item.target_hash,
        error=error,
    )


def _cluster(built: BuiltTask, item: Item) -> str | None:
    unit = built.task.unit
    return None if unit == "item" else str(item.doc[unit])


def _unusable(item: Item) -> str | None:
    """Why the raw responses of an item cannot be scored, or None."""
    for instance in item.instances:
        if not instance.resps:
            return "no answer"
        for response in instance.resps:
            number = response[0] if isinstance(response, tuple) else response
            if number is None:
                return "no answer"
            if isinstance(number, float) and math.isnan(number):
                return "the model returned a NaN log-likelihood"
    return None


def _filter_names(item: Item) -> Iterator[str]:
    yield from item.instances[0].filtered_resps


def _engine_rates(model: LoadedModel, item: Item, cut: bool) -> dict[str, Counts]:
    """Health rates that only the engine knows: cut prompts, empty and cut generations."""
    rates: dict[str, Counts] = {"truncated_prompt": (float(cut), 1.0)}
    generations = [
        (instance, str(response))
        for instance in item.instances if instance.request_type == "generate_until"
        for response in instance.resps
    ]  # fmt: skip
    if generations:
        n = float(len(generations))
        rates["empty"] = (float(sum(not text.strip() for _, text in generations)), n)
        if model.tokenizer is not None:
            rates["truncated_output"] = (float(sum(_reached_end(model, *pair) for pair in generations)), n)
    return rates


def _reached_end(model: LoadedModel, instance: Any, text: str) -> bool:
    """Whether a generation has as many tokens as it was allowed: nothing stopped it but the limit."""
    allowed = int(instance.args[1].get("max_gen_toks", getattr(model.lm, "max_gen_toks", 256)))
    return len(text.encode()) >= allowed and len(model.lm.tok_encode(text, add_special_tokens=False)) >= allowed


def _prediction(item: Item, answers: list[Any]) -> Any:
    """What the model answered, for people: generations as text, log-likelihoods to six digits and the chosen index."""
    kinds = {instance.request_type for instance in item.instances}
    if kinds == {"generate_until"}:
        return answers[0] if len(answers) == 1 else list(answers)
    values = [answer[0] if isinstance(answer, tuple) else answer for answer in answers]
    rounded = [float(f"{float(value):.6g}") for value in values]
    return {"choice": max(range(len(values)), key=values.__getitem__), "loglikelihoods": rounded}


def _sample_row(item: Item, filter_name: str, answers: list[Any], metrics: dict[str, Any]) -> dict[str, Any]:
    """A row of lm-eval's ``samples_<task>.jsonl`` (0.4.13)."""
    return {
        "doc_id": item.doc_id,
        "doc": item.doc,
        "target": item.target,
        "arguments": [list(instance.args) for instance in item.instances],
        "resps": [list(instance.resps) for instance in item.instances],
        "filtered_resps": answers,
        "filter": filter_name,
        "metrics": list(metrics),
        "doc_hash": item.doc_hash,
        "prompt_hash": item.prompt_hash,
        "target_hash": item.target_hash,
        **metrics,
    }
