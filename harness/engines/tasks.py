"""From the noun Task to lm-eval's task object: resolve the card, load the data, know how each metric folds.

Cards of ours and stock tasks are indexed apart, so that neither can shadow the other. Indexing all of lm-eval's
cards takes many seconds, so only the folders that define the wanted names are indexed; the full index is the
fall-back.
"""

from __future__ import annotations

import difflib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from harness.catalog import digest_of
from harness.data import resolving
from harness.engines.index import index_of
from harness.errors import CardError, DataError, HarnessError, UsageError
from harness.metrics.folds import FOLDS, Fold
from harness.nouns import Counts, Task
from harness.stock import stock_task_names

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class BuiltTask:
    """A task ready to be asked.

    Attributes:
        task: The noun, with stock groups expanded and the digest of the resolved card.
        asked_as: The name in the suite: the task's own, or the stock group that it is a leaf of.
        lm_task: lm-eval's task object.
        folds: Fold of every metric of the card that has one.
    """

    task: Task
    asked_as: str
    lm_task: Any
    folds: Mapping[str, Fold]

    @property
    def docs(self) -> Any:
        """Rows of the scored split, as lm-eval processed them."""
        return self.lm_task.task_docs if hasattr(self.lm_task, "task_docs") else self.lm_task.eval_docs


@dataclass(frozen=True)
class TaskOptions:
    """What the command line sets for all tasks.

    Attributes:
        num_fewshot: Overrides the number of examples, as lm-eval does: a card that says 0 keeps 0.
        gen_kwargs: Overrides generation settings of generative tasks.
        fewshot_seed: Seed of the few-shot sampler.
    """

    num_fewshot: int | None = None
    gen_kwargs: Mapping[str, Any] | None = None
    fewshot_seed: int = 1234


def build_tasks(
    tasks: Sequence[Task], folders: Sequence[Path], mirror: Path | None, options: TaskOptions
) -> list[BuiltTask]:
    """Load data and card of every task; stock groups become their leaves.

    Args:
        tasks: Nouns from the catalog.
        folders: Folders that hold our own and the user's cards.
        mirror: Local mirror of datasets, if any.
        options: Command-line settings.

    Raises:
        UsageError: A name is neither a card nor a stock lm-eval task.
        CardError: lm-eval rejects a card, or its headline metric has no fold.
        MissingInputError, UnavailableError: Data is not there or does not download.
    """
    from lm_eval.tasks import TaskManager

    with quiet_lm_eval(), resolving(mirror):
        ours = TaskManager(include_path=[str(folder) for folder in folders], include_defaults=False)
        stock_names = [task.name for task in tasks if task.card is None]
        stock = _stock_manager(stock_names, ours.all_tasks) if stock_names else ours
        built = []
        for task in tasks:
            manager = ours if task.card is not None else stock
            for leaf, lm_task in _load(manager, task).items():
                built.append(_built(task, leaf, lm_task, options))
    return built


@contextmanager
def quiet_lm_eval() -> Iterator[None]:
    """Silence the libraries' chatter and progress bars; what a user must know, the harness says itself."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    names = ("lm_eval", "datasets", "transformers", "httpx", "huggingface_hub", "harness.engines.tree")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # one library's note to another about its next version
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _stock_manager(names: Sequence[str], cards: Sequence[str]) -> Any:
    """An index that knows the stock names; the cards of ours are for the message on an unknown one."""
    manager = index_of(names)
    for name in names:
        if name not in manager.all_tasks:
            close = difflib.get_close_matches(name, {*cards, *stock_task_names()}, n=3, cutoff=0.6)
            hint = f"did you mean {', '.join(close)}?" if close else "see harness ls tasks"
            raise UsageError(f"Task {name!r}", "is neither a card of ours nor a stock lm-eval task", hint)
    return manager


def _load(manager: Any, task: Task) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = manager.load([task.name])["tasks"]
    except HarnessError:
        raise
    except Exception as error:  # whatever lm-eval raises on a card, the user must learn which card
        if isinstance(error, IndexError) and "size 0" in str(error):  # lm-eval looks at the first row
            raise _no_rows(task.name) from error
        where = task.card or f"stock lm-eval task {task.name}"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CardError(
            f"{where}", f"cannot be built ({type(error).__name__}: {reason})", "correct the card"
        ) from error
    return loaded


def _no_rows(task: str) -> DataError:
    return DataError(f"Task {task}", "has no rows in its scored split", "check the card's split and process_docs")


def _built(task: Task, leaf: str, lm_task: Any, options: TaskOptions) -> BuiltTask:
    shots = options.num_fewshot if options.num_fewshot is not None else task.num_fewshot
    default = lm_task.get_config("num_fewshot")
    if shots is not None and not (default == 0 and options.num_fewshot is not None):
        lm_task.set_config("num_fewshot", shots)
    elif default is None:
        lm_task.set_config("num_fewshot", 0)
    if options.gen_kwargs and lm_task.get_config("output_type") == "generate_until":
        lm_task.set_config("generation_kwargs", dict(options.gen_kwargs), update=True)
    lm_task.set_fewshot_seed(seed=options.fewshot_seed)
    folds = _folds(lm_task)
    noun = _resolved(task, leaf, lm_task, folds)
    if len(lm_task.task_docs if hasattr(lm_task, "task_docs") else lm_task.eval_docs) == 0:
        raise _no_rows(leaf)
    return BuiltTask(noun, task.name, lm_task, folds)


def _resolved(task: Task, leaf: str, lm_task: Any, folds: Mapping[str, Fold]) -> Task:
    metric = task.metric or next(iter(folds), "")
    if metric not in folds:
        known = ", ".join(folds) or "none"
        raise CardError(
            f"Task {leaf}", f"has no metric {metric or '(any)'!r} that folds from counts (it has: {known})",
            "name another metric",
        )  # fmt: skip
    config = lm_task.config
    version = (config.metadata or {}).get("version", task.version)
    return replace(
        task,
        name=leaf,
        metric=metric,
        filter=_filter(task, leaf, lm_task),
        chance=task.chances.get(leaf, task.chance),
        chances={},
        num_fewshot=lm_task.get_config("num_fewshot"),
        version=str(version),
        dataset=task.dataset or str(config.dataset_path),
        config=config.dataset_name,
        split=str(config.test_split or config.validation_split or ""),
        digest=task.digest if task.card else stock_digest(version_of("lm-eval"), lm_task.dump_config(), {}),
    )


def _filter(task: Task, leaf: str, lm_task: Any) -> str:
    names = [ensemble.name for ensemble in lm_task._filters]
    if task.filter in names:
        return task.filter
    if task.metric:
        raise CardError(
            f"Task {leaf}", f"has no filter {task.filter!r} (it has: {', '.join(names)})", "name one of them"
        )
    return str(names[0])


def stock_digest(version: str, config: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Digest of a stock card as resolved: functions by their source text, no path, no memory address.

    Args:
        version: Version of lm-eval.
        config: The card as lm-eval dumps it, from memory or from a results file.
        arguments: Model arguments; lm-eval's command line mixes them into the card's metadata.
    """
    outside = {"config_source", *arguments}
    metadata = {key: value for key, value in (config.get("metadata") or {}).items() if key not in outside}
    return digest_of([version, _without_addresses({**config, "metadata": metadata})])


def _without_addresses(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_addresses(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_addresses(part) for part in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _ADDRESS.sub("", str(value))


def _folds(lm_task: Any) -> dict[str, Fold]:
    """The fold of each metric, from the aggregation that the card names; metrics without one are left out."""
    folds = {}
    for metric, aggregation in lm_task.aggregation().items():
        fold = aggregation if isinstance(aggregation, Fold) else FOLDS.get(STOCK_FOLDS.get(_name(aggregation), ""))
        if fold is not None:
            folds[str(metric)] = fold
    return folds


def _name(aggregation: Any) -> str:
    return str(getattr(aggregation, "__name__", ""))


STOCK_FOLDS: Mapping[str, str] = {
    "mean": "mean",
    "nanmean": "mean",
    "agg_inst_level_acc": "mean",
    "perplexity": "perplexity",
    "weighted_perplexity": "perplexity",
    "bits_per_byte": "bits_per_byte",
}
"""lm-eval aggregations that are functions of summed counts, by function name."""


def counts_of(value: Any) -> Counts:
    """One item's metric value as counts: a number x as (x, 1), a list of numbers as (sum, length), a tuple as it is."""
    if isinstance(value, tuple):
        return tuple(float(part) for part in value)
    if isinstance(value, list):
        return (float(sum(value)), float(len(value)))
    return (float(value), 1.0)
