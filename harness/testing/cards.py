"""The contract of a card as a library function, for authors of cards and for the tests of plug-ins.

A card that breaks it gives numbers that nobody can trust: a gold answer that does not score 1, an empty answer that
does, a count without a fold, a prompt that shows what it asks for. ``check_card`` asks for all of this on real rows and
needs no model. What a card must *state* is the catalogue's affair (``harness.catalog.task_of``).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

from harness.errors import HarnessError
from harness.nouns import Task
from harness.testing.problem import Problem

Doc = Mapping[str, Any]

_UNLIKELY = -1e6
"""Log-likelihood of a choice that is not taken: below any that a model gives."""

_CHANCE_TOLERANCE = 0.1
_ACCURACIES = ("acc", "acc_norm", "acc_bytes")
_MANY = 500
_SWAPPED = 5
"""Rows whose columns are swapped to see what a prompt depends on."""


class BuiltTask(Protocol):
    """What ``harness.engines.tasks.build_tasks`` gives: the noun, lm-eval's task object and its rows."""

    @property
    def task(self) -> Task:
        """The noun."""

    @property
    def lm_task(self) -> Any:
        """lm-eval's task object."""

    @property
    def docs(self) -> Any:
        """Rows of the scored split."""


def check_card(built: BuiltTask, docs: int = 20) -> list[Problem]:
    """Check a task against the contract of cards, on rows spread evenly over its split.

    Asked of every task: prompt, target and choices can be made from the rows; the cluster field is in all of them; what
    ``process_results`` counts is in ``metric_list`` and the other way round; gold answers score 1 and empty ones (or
    wrong choices) less. Asked of cards, not of stock tasks: the prompt does not depend on the gold, and the gold of a
    generative task scores 1. Asked where accuracy over choices is the headline: the chance level is a guesser's.

    Args:
        built: A task as ``harness.engines.tasks.build_tasks`` gives it.
        docs: How many rows to look at.

    Returns:
        The problems, none for a sound card.

    Raises:
        HarnessError: The card needs something that is not installed.
    """
    rows = _spread(built.docs, docs)
    try:
        readable = [problem for doc in rows for problem in _reading(built, doc)][:1]
        if readable:
            return readable
        problems = [*_cluster(built, rows), *_counting(built, rows), *_chance(built, rows)]
        return problems + (_leak(built, rows) if built.task.card else [])
    except HarnessError:  # such as an optional package that is not installed
        raise
    except Exception as error:  # a card's own code; the author must learn which check it broke
        return [Problem("card", f"raises {type(error).__name__} ({error})", "correct the functions that it names")]


def gold_answers(built: BuiltTask, doc: Doc) -> list[Any]:
    """What a perfect model answers to a row, as ``process_results`` gets it.

    Returns:
        Generated texts (one per batch of labels where a card splits its schema), or (log-likelihood, greedy) pairs.
    """
    task = built.lm_task
    if task.OUTPUT_TYPE == "multiple_choice":
        return _choosing(task, doc, right=True)
    if task.OUTPUT_TYPE == "loglikelihood":
        return [(0.0, True)]
    return _filtered(built, doc, [_first(target) for target in _targets(task, doc)])


def empty_answers(built: BuiltTask, doc: Doc) -> list[Any]:
    """What a model answers that says nothing, or that takes a wrong choice; as ``gold_answers``."""
    task = built.lm_task
    if task.OUTPUT_TYPE == "multiple_choice":
        return _choosing(task, doc, right=False)
    if task.OUTPUT_TYPE == "loglikelihood":
        return [(_UNLIKELY, False)]
    return _filtered(built, doc, ["" for _ in _views(task)])


def headline(built: BuiltTask, docs: Sequence[Doc], answer: Callable[[BuiltTask, Doc], list[Any]]) -> float:
    """The headline score of rows that are all answered by a function such as ``gold_answers``."""
    metric = built.task.metric
    values = [built.lm_task.process_results(doc, answer(built, doc))[metric] for doc in docs]
    return float(built.lm_task.aggregation()[metric](values))


def _spread(docs: Any, count: int) -> list[Doc]:
    step = max(1, len(docs) // max(1, count))
    return [docs[index] for index in range(0, len(docs), step)][:count]


def _views(task: Any) -> Iterator[Any]:
    """The task once per prompt of a row: a card that splits its schema has one per batch of labels."""
    for batch in getattr(task, "batches", ()):
        view = copy.copy(task)
        view.batches = (batch,)
        yield view
    if not getattr(task, "batches", ()):
        yield task


def _prompts(task: Any, doc: Doc) -> list[str]:
    return [str(view.doc_to_text(doc)) for view in _views(task)]


def _targets(task: Any, doc: Doc) -> list[Any]:
    return [view.doc_to_target(doc) for view in _views(task)]


def _first(target: Any) -> str:
    return str(target[0] if isinstance(target, list) and target else target)


def _choosing(task: Any, doc: Doc, right: bool) -> list[tuple[float, bool]]:
    choices = list(task.doc_to_choice(doc))
    golds = _gold_choices(task, doc, choices)
    wrong = next((index for index in range(len(choices)) if index not in golds), -1)
    taken = golds[0] if right else wrong
    return [(0.0, True) if index == taken else (_UNLIKELY, False) for index in range(len(choices))]


def _gold_choices(task: Any, doc: Doc, choices: Sequence[str]) -> list[int]:
    target = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    golds = target if isinstance(target, list) else [target]
    return [choices.index(gold) if isinstance(gold, str) else int(gold) for gold in golds]


def _filtered(built: BuiltTask, doc: Doc, texts: Sequence[str]) -> list[Any]:
    """Generated texts after the filter that the headline is read from."""
    from lm_eval.api.instance import Instance

    instances = [Instance("generate_until", dict(doc), ("", {}), index) for index in range(len(texts))]
    for instance, text in zip(instances, texts, strict=True):
        instance.resps = [text]
    for ensemble in built.lm_task._filters:
        if ensemble.name == built.task.filter:
            ensemble.apply(instances)
    return [instance.filtered_resps.get(built.task.filter, instance.resps[0]) for instance in instances]


def _reading(built: BuiltTask, doc: Doc) -> Iterator[Problem]:
    """Whether prompt, target and choices of a row can be made from its columns."""
    task = built.lm_task
    steps: dict[str, Callable[[], Any]] = {
        "doc_to_text": lambda: _prompts(task, doc),
        "doc_to_target": lambda: _targets(task, doc),
    }
    if task.OUTPUT_TYPE == "multiple_choice":
        steps["doc_to_choice"] = lambda: _choosing(task, doc, right=True)
    for name, step in steps.items():
        try:
            step()
        except Exception as error:  # a card's own code or template
            columns = ", ".join(map(str, doc))
            reason = f"{name} fails on a row ({type(error).__name__}: {error}); its columns are {columns}"
            yield Problem("columns", reason, f"correct {name}")


def _cluster(built: BuiltTask, docs: Sequence[Doc]) -> list[Problem]:
    unit = built.task.unit
    if unit == "item" or all(doc.get(unit) is not None for doc in docs):
        return []
    known = ", ".join(map(str, docs[0]))
    return [Problem("cluster", f"the unit {unit!r} is no column of every row", f"write item, or one of {known}")]


def _counting(built: BuiltTask, docs: Sequence[Doc]) -> list[Problem]:
    task = built.lm_task
    problems = []
    listed = set(task.aggregation())
    answers = empty_answers if _without_gold(built) else gold_answers
    counted = {str(name) for doc in docs for name in task.process_results(doc, answers(built, doc))}
    if extra := sorted(counted - listed):
        problems.append(Problem("metrics", f"counts {', '.join(extra)}, which metric_list lacks", "list it there"))
    if never := sorted(listed - counted):
        problems.append(Problem("metrics", f"lists {', '.join(never)}, which is never counted", "count or remove it"))
    if built.task.metric not in counted or task.OUTPUT_TYPE == "loglikelihood_rolling":
        return problems
    return problems + _scoring(built, docs)


def _without_gold(built: BuiltTask) -> bool:
    """Whether a target is only loosely what a model should write, as in stock generative tasks."""
    return built.task.card is None and built.lm_task.OUTPUT_TYPE == "generate_until"


def _scoring(built: BuiltTask, docs: Sequence[Doc]) -> list[Problem]:
    problems = []
    metric = built.task.metric
    if not _without_gold(built) and abs((best := _best(built, docs)) - 1) > 1e-6:
        reason = f"the gold answers score {best:.4g} on {metric}, not 1"
        problems.append(Problem("gold", reason, "make process_results accept what doc_to_target gives"))
    if (score := headline(built, docs, empty_answers)) >= 1:
        reason = f"empty answers or wrong choices score {score:.4g} on {metric}"
        problems.append(Problem("empty answer", reason, "make process_results count them as wrong"))
    return problems


def _best(built: BuiltTask, docs: Sequence[Doc]) -> float:
    """Score of the gold answers; on more rows where it is not 1, because a macro average wants every class."""
    best = headline(built, docs, gold_answers)
    return best if best == 1 else headline(built, _spread(built.docs, _MANY), gold_answers)


def _chance(built: BuiltTask, docs: Sequence[Doc]) -> list[Problem]:
    """The chance level against 1/k, where the headline is lm-eval's own accuracy over k choices with one gold."""
    task = built.lm_task
    plain = task.OUTPUT_TYPE == "multiple_choice" and not callable(task.config.process_results)
    if not plain or task.multiple_target or built.task.metric not in _ACCURACIES:
        return []
    guesser = sum(1 / len(task.doc_to_choice(doc)) for doc in docs) / len(docs)
    if abs(guesser - built.task.chance) <= _CHANCE_TOLERANCE:
        return []
    reason = f"states {built.task.chance:.4g}, but a guesser among its choices scores {guesser:.4g}"
    return [Problem("chance", reason, f"write chance: {guesser:.4g}")]


def _leak(built: BuiltTask, docs: Sequence[Doc]) -> list[Problem]:
    """Whether prompts show the gold, or show nothing of their row.

    Each column of a row is swapped for another row's. Columns that move the target hold the gold; one of them must
    leave the prompt as it is. A prompt made of a single column may share it with the target, such as its last word.
    """
    task = built.lm_task
    if task.multiple_input or task.OUTPUT_TYPE == "loglikelihood_rolling":
        return []
    if len(docs) > 1 and len({tuple(_prompts(task, doc)) for doc in docs}) == 1 and _differ(docs):
        return [Problem("prompt", "is the same for every row", "correct doc_to_text: it reads no column")]
    shown: set[str] = set()
    golds: set[str] = set()
    for doc, other in pairwise(docs[: _SWAPPED + 1]):
        for column in doc:
            swapped = {**doc, column: other[column]}
            shown |= {column} if _moved(_prompts, task, doc, swapped) else set()
            golds |= {column} if _moved(_targets, task, doc, swapped) else set()
    if not golds or golds - shown or len(shown) == 1 == len(golds):
        return []
    reason = f"changes with the gold: it reads {', '.join(sorted(golds))}, which the target is made from"
    return [Problem("prompt", reason, "leave the gold out of doc_to_text")]


def _differ(docs: Sequence[Doc]) -> bool:
    return any(doc != docs[0] for doc in docs[1:])


def _moved(make: Callable[[Any, Doc], list[Any]], task: Any, doc: Doc, swapped: Doc) -> bool:
    """Whether a swapped column changes what is made; a row that cannot be made any more says nothing."""
    try:
        return make(task, doc) != make(task, swapped)
    except Exception:  # columns of two rows need not fit each other
        return False
