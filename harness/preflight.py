"""``harness validate``: find out before any compute whether a run can succeed and whether its cards can be trusted.

Nothing is asked of a model and no weights are loaded. Without a suite every card and suite file is checked, its data
only where they are on this machine; a suite that is named must have its data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.catalog import Catalog, load_catalog
from harness.data import mirror_folder, mirrored
from harness.engines.adapters import refuse_foreign
from harness.engines.checkpoint import identify
from harness.engines.fit import memory, outline
from harness.engines.items import Item, build_items, sample_ids, sampled_as, truncated
from harness.engines.job import RunRequest, resolve
from harness.engines.models import HF_MODELS, LoadedModel, model_class
from harness.engines.tasks import BuiltTask, build_tasks, quiet_lm_eval
from harness.errors import HarnessError, MissingInputError, UnavailableError, UsageError
from harness.nouns import Check, Checkpoint, Limits, State, Suite, Task
from harness.testing import check_card

_BAD, _MISSING = 65, 66
_GIB = 1 << 30


def validate(request: RunRequest, checkpoint: bool) -> list[Check]:
    """Check what a run of this request would need.

    Args:
        request: The run; without suites and tasks every known card and suite file is checked.
        checkpoint: Whether to check the request's model too.

    Returns:
        The checks, those of cards first; every problem is one of them.

    Raises:
        UsageError: A suite, task or model name is unknown.
        CardError: A card or suite file cannot be read at all.
        MissingInputError: The mirror or a folder of cards does not exist.
    """
    mirror = mirror_folder(request.mirror)
    catalog = load_catalog(request.include)
    suites: tuple[Suite, ...] = ()
    checks: list[Check] = []
    if request.suites or request.tasks:
        catalog, suites = resolve(request)
        tasks = tuple({task.name: task for suite in suites for task in suite.tasks}.values())
    else:
        checks, tasks = _forms(catalog)
        tasks, elsewhere = _split(tasks, mirror)
        checks += elsewhere
    with quiet_lm_eval():
        built, found = _data(tasks, catalog, mirror, request)
        checks += found
        checks += [check for task in built for check in _contract(task)]
        if checkpoint:
            checks += _checkpoint(request, suites, built)
    return checks


def exit_code(checks: Sequence[Check]) -> int:
    """0 without problems; 65 where something is wrong, else 66 where something is not there."""
    codes = {check.exit_code for check in checks if check.state is State.PROBLEM}
    return _BAD if _BAD in codes else max(codes, default=0)


def _forms(catalog: Catalog) -> tuple[list[Check], tuple[Task, ...]]:
    """Whether every suite file and card states what it must; and the tasks of the cards that do."""
    checks: list[Check] = []
    tasks: list[Task] = []
    for name in catalog.suites:
        try:
            suite = catalog.suite(name)
        except HarnessError as error:
            checks.append(_problem(f"suite {name}", "form", error))
            continue
        stock = sum(task.card is None for task in suite.tasks)
        note = f", {stock} of them stock lm-eval tasks (name the suite to check their data)" if stock else ""
        checks.append(Check(f"suite {name}", "form", State.OK, f"{len(suite.tasks)} tasks{note}"))
    for name in catalog.cards:
        try:
            tasks.append(catalog.task(name))
        except HarnessError as error:
            checks.append(_problem(f"card {name}", "form", error))
    return checks, tuple(tasks)


def _split(tasks: Sequence[Task], mirror: Path | None) -> tuple[tuple[Task, ...], list[Check]]:
    """Tasks whose data are on this machine, and a line for each of the others."""
    here = tuple(task for task in tasks if _is_here(task, mirror))
    told = "is not on this machine: resolves against the hub"
    elsewhere = [
        Check(f"card {task.name}", "data", State.UNKNOWN, f"{task.dataset} {told}")
        for task in tasks
        if task not in here
    ]
    return here, elsewhere


def _is_here(task: Task, mirror: Path | None) -> bool:
    if task.dataset.startswith("embedded:"):
        return True
    return mirror is not None and mirrored(task.dataset, mirror, task.config) is not None


def _data(
    tasks: Sequence[Task], catalog: Catalog, mirror: Path | None, request: RunRequest
) -> tuple[list[BuiltTask], list[Check]]:
    """Tasks that load with their data, and a line for each that does not; one by one only where not all load."""
    try:
        return build_tasks(tasks, catalog.folders, mirror, request.options) if tasks else [], []
    except HarnessError as error:
        if isinstance(error, UsageError):
            raise
        if len(tasks) == 1:
            return [], [_problem(f"task {tasks[0].name}", "data", error)]
    parts = [_data((task,), catalog, mirror, request) for task in tasks]
    return [task for built, _ in parts for task in built], [check for _, checks in parts for check in checks]


def _contract(built: BuiltTask) -> Iterator[Check]:
    name = f"{'card' if built.task.card else 'task'} {built.task.name}"
    try:
        problems = check_card(built)
    except HarnessError as error:  # an optional package that is not installed
        yield _problem(name, "contract", error)
        return
    for problem in problems:
        yield Check(name, problem.check, State.PROBLEM, problem.reason, problem.next_step, _BAD)
    if not problems:
        judged = built.task.card or built.lm_task.OUTPUT_TYPE == "multiple_choice"
        kept = "gold scores 1, an empty answer or wrong choice less" if judged else "prompts and counts can be made"
        yield Check(name, "contract", State.OK, f"{len(built.docs):,} rows; {kept}")


def _checkpoint(request: RunRequest, suites: Sequence[Suite], built: Sequence[BuiltTask]) -> list[Check]:
    """Files, context and memory of the request's model."""
    options = request.model
    try:
        model_class(options.model)
        found = identify(options.model, options.arguments)
        name = f"checkpoint {found.reference}"
        checks = [_files(name, found)]
        if options.model not in HF_MODELS:
            return [
                *checks,
                Check(name, "context", State.UNKNOWN, f"{options.model} tells its context only once loaded"),
            ]
        if not found.digests:
            return checks
        if "adapter" in found.digests:
            checks.append(_adapter(name, options.arguments))
        model = outline(options)
    except HarnessError as error:
        if error.exit_code == 64:
            raise
        return [_problem(f"checkpoint {options.arguments.get('pretrained', options.model)}", "files", error)]
    try:
        items = {task.task.name: _items(task, request, model) for task in built}
    except HarnessError as error:
        return [*checks, _problem(name, "prompts", error)]
    return [*checks, *_context(name, model, suites, items), _memory(name, request, model, items)]


def _files(name: str, found: Checkpoint) -> Check:
    if not found.digests:
        return Check(name, "files", State.UNKNOWN, "is not on this machine: it is asked for when the run starts")
    digests = ", ".join(f"{part} {digest[:12]}" for part, digest in found.digests.items())
    return Check(name, "files", State.OK, digests)


def _adapter(name: str, arguments: Mapping[str, object]) -> Check:
    from peft import PeftConfig

    adapter = str(arguments["peft"])
    refuse_foreign(str(arguments["pretrained"]), adapter, PeftConfig.from_pretrained(adapter).base_model_name_or_path)
    return Check(name, "adapter", State.OK, "was trained on this base, by the name in its configuration")


def _items(built: BuiltTask, request: RunRequest, model: LoadedModel) -> list[Item]:
    rows = sample_ids(sampled_as(built.task), len(built.docs), request.limit, request.seeds[0])
    return build_items(built, rows, model, request.prompting)


def _context(
    name: str, model: LoadedModel, suites: Sequence[Suite], items: Mapping[str, Sequence[Item]]
) -> Iterator[Check]:
    """The share of prompts that exceed the context, against what the suites allow."""
    if not items:
        yield Check(name, "context", State.UNKNOWN, "no task has its data here")
        return
    shares = {task: len(truncated(model, members)) / len(members) for task, members in items.items()}
    allowed = {task.name: suite.limits.truncated for suite in reversed(suites) for task in suite.tasks}
    problems = 0
    for task, share in shares.items():
        limit = allowed.get(task, min(allowed.values(), default=Limits().truncated))
        if share > limit:
            reason = f"{task}: {share:.1%} of prompts exceed {model.max_length} tokens, {limit:.1%} are allowed"
            fix = "use fewer shots, a checkpoint with a longer context, or a suite file with a higher limit"
            yield Check(name, "context", State.PROBLEM, reason, fix, _BAD)
            problems += 1
    if problems:
        return
    worst = max(shares, key=shares.__getitem__)
    prompts = sum(map(len, items.values()))
    told = (
        f"at most {shares[worst]:.1%} of a task's prompts exceed {model.max_length} tokens ({worst}); {prompts:,} items"
    )
    yield Check(name, "context", State.OK, told)


def _memory(name: str, request: RunRequest, model: LoadedModel, items: Mapping[str, Sequence[Item]]) -> Check:
    try:
        need = memory(model, items, request.model.device, request.model.max_memory)
    except UnavailableError as error:
        return _problem(name, "memory", error)
    parts = ", ".join(f"{part} {getattr(need, part) / _GIB:.2f}" for part in ("weights", "cache", "logits"))
    told = f"about {need.needed / _GIB:.2f} GiB ({parts}) of {need.free / _GIB:.2f} GiB free on {need.device}"
    if need.needed <= need.free:
        return Check(name, "memory", State.OK, told)
    fix = "use a smaller dtype or --batch_size, or another device"
    return Check(name, "memory", State.PROBLEM, told, fix, _BAD)


def _problem(subject: str, check: str, error: HarnessError) -> Check:
    missing = isinstance(error, MissingInputError | UnavailableError)
    sentence = f"{error.thing} {error.reason}"
    return Check(subject, check, State.PROBLEM, sentence, error.next_step, _MISSING if missing else _BAD)
