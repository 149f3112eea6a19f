"""From rows to items: which rows are scored, what is asked of the model, and the hashes that identify each item.

lm-eval's ``--limit n`` takes the first n rows and its ``--samples`` can mislabel them; here a limit is a seeded random
sample, sorted, and every item carries content hashes computed as lm-eval computes them, so that its logs pair with
ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.engines.models import LoadedModel, is_local
from harness.engines.tasks import BuiltTask
from harness.engines.templates import compiled_templates
from harness.engines.tree.tokens import encoder_of
from harness.errors import CheckpointError, DataError, UsageError
from harness.nouns import Task

_AT_ONCE = 4096
"""Requests whose tokens are held at once."""


@dataclass(frozen=True)
class Prompting:
    """How prompts are wrapped.

    Attributes:
        chat_template: Apply the tokenizer's chat template; a string names one of several.
        system_instruction: System prompt, or None.
        fewshot_as_multiturn: Few-shot examples as turns; None follows the chat template.
    """

    chat_template: bool | str = False
    system_instruction: str | None = None
    fewshot_as_multiturn: bool | None = None


@dataclass
class Item:
    """One row of a task and the requests that it makes.

    Attributes:
        doc_id: Row number in the scored split.
        doc: The row, as the task processed it.
        instances: lm-eval requests, in the order that ``process_results`` expects.
        doc_hash: SHA-256 of the row, as lm-eval logs it.
        prompt_hash: SHA-256 of the first prompt.
        target_hash: SHA-256 of the target.
        target: The target, as lm-eval logs it.
    """

    doc_id: int
    doc: Any
    instances: list[Any]
    doc_hash: str
    prompt_hash: str
    target_hash: str
    target: Any

    @property
    def item(self) -> str:
        """SHA-256 over row and target: equal items have equal ids in every run."""
        return _hash(f"{self.doc_hash}:{self.target_hash}")

    @property
    def texts(self) -> list[str]:
        """The text of each request: prompt and choice."""
        return ["".join(part for part in instance.args if isinstance(part, str)) for instance in self.instances]

    @property
    def bytes(self) -> int:
        """UTF-8 length of all prompts and choices."""
        return sum(len(text.encode()) for text in self.texts)

    @property
    def longest(self) -> int:
        """UTF-8 length of the longest request."""
        return max(len(text.encode()) for text in self.texts)


def sampled_as(task: Task) -> str:
    """The name under which a task's rows are sampled: all probes of one task's documents ask the same rows."""
    return str(task.probe.get("of", task.name))


def item_id(lm_task: Any, doc: Any) -> str:
    """The id that a row's record has in every run, without any prompt being built."""
    return _hash(f"{_doc_hash(doc)}:{_hash(lm_task.doc_to_target(doc))}")


def sample_ids(task: str, n_docs: int, limit: float | None, seed: int) -> list[int]:
    """Row numbers to score: a seeded random sample, sorted; all rows without a limit.

    Larger samples of one seed contain the smaller ones.

    Args:
        task: Task name, or for a probe that of :func:`sampled_as`; it enters the seed, so that tasks are sampled
            independently.
        n_docs: Rows of the split.
        limit: A count (1 or more) or a share (below 1).
        seed: Seed.

    Raises:
        UsageError: The limit is zero or negative.
    """
    if limit is None:
        return list(range(n_docs))
    if limit <= 0:
        raise UsageError(
            f"--limit {limit:g}", "leaves no item to score", "give a count of 1 or more, or a share below 1"
        )
    count = max(1, round(limit * n_docs)) if limit < 1 else int(limit)
    entropy = int.from_bytes(hashlib.sha256(f"{seed}:{task}".encode()).digest()[:8])
    order = np.random.default_rng(entropy).permutation(n_docs)
    return sorted(int(row) for row in order[:count])


def build_items(built: BuiltTask, doc_ids: Sequence[int], model: LoadedModel, prompting: Prompting) -> list[Item]:
    """Requests of the given rows, in row order (few-shot sampling depends on it, as in lm-eval).

    Raises:
        DataError: A prompt cannot be built from its row.
        CheckpointError: A chat template is asked for and the tokenizer has none, or the prompt begins with two BOS.
    """
    wrapping = _wrapping(model, prompting)
    items = []
    with compiled_templates():
        for doc_id in doc_ids:
            doc = built.docs[doc_id]
            try:
                items.append(_item(built.lm_task, doc_id, doc, wrapping))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError) as error:
                raise DataError(
                    f"Task {built.task.name}, row {doc_id}", f"makes no prompt ({type(error).__name__}: {error})",
                    "check doc_to_text, doc_to_choice and doc_to_target of its card",
                ) from error  # fmt: skip
    refuse_double_bos(model, items)
    return items


@dataclass(frozen=True)
class _Wrapping:
    """Keyword arguments that lm-eval's two prompt builders share, and those of the first alone."""

    both: Mapping[str, Any]
    context: Mapping[str, Any]


def _wrapping(model: LoadedModel, prompting: Prompting) -> _Wrapping:
    template = _chat_template(model, prompting)
    turns = prompting.fewshot_as_multiturn
    return _Wrapping(
        both={"apply_chat_template": template is not None, "chat_template": template},
        context={
            "system_instruction": prompting.system_instruction,
            "fewshot_as_multiturn": template is not None if turns is None else turns,
        },
    )


def _item(lm_task: Any, doc_id: int, doc: Any, wrapping: _Wrapping) -> Item:
    context = lm_task.fewshot_context(
        doc,
        num_fewshot=lm_task.config.num_fewshot or 0,
        gen_prefix=lm_task.doc_to_prefix(doc),
        **wrapping.both,
        **wrapping.context,
    )
    metadata = (lm_task.config["task"], doc_id, lm_task.config.repeats)
    made = lm_task.construct_requests(doc=doc, ctx=context, metadata=metadata, **wrapping.both)
    instances = sorted(made, key=lambda instance: instance.idx) if isinstance(made, list) else [made]
    target = lm_task.doc_to_target(doc)
    return Item(
        doc_id=doc_id,
        doc=doc,
        instances=instances,
        doc_hash=_doc_hash(doc),
        prompt_hash=_hash(instances[0].arguments[0]),
        target_hash=_hash(target),
        target=target,
    )


def truncated(model: LoadedModel, items: Sequence[Item]) -> set[int]:
    """Rows whose prompt does not fit the context and will be cut from the left, without tokenising short ones."""
    context = model.max_length
    if context is None or model.tokenizer is None:
        return set()
    long = [(item, instance) for item in items for instance in item.instances if _may_be_cut(model, instance, context)]
    return {
        item.doc_id
        for start in range(0, len(long), _AT_ONCE)
        for (item, instance), length in _lengths(model, long[start : start + _AT_ONCE])
        if length > _room(model, instance, context)
    }


def _may_be_cut(model: LoadedModel, instance: Any, context: int) -> bool:
    """Whether a request could be too long: a token covers at least one byte."""
    if instance.request_type == "loglikelihood_rolling":
        return False  # scored in windows, nothing is cut
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in instance.args if isinstance(text, str))
    return size + 2 > _room(model, instance, context)


def _room(model: LoadedModel, instance: Any, context: int) -> int:
    """Tokens that a request may have: its last one is not read, and what is generated needs its place."""
    if instance.request_type == "generate_until":
        return context - int(instance.args[1].get("max_gen_toks", getattr(model.lm, "max_gen_toks", 256)))
    return context + 1


def _lengths(model: LoadedModel, asked: Sequence[tuple[Item, Any]]) -> Iterator[tuple[tuple[Item, Any], int]]:
    """Requests with their tokens; prompts that several requests share are tokenised once where the model is local."""
    texts = [tuple(part for part in instance.args if isinstance(part, str)) for _, instance in asked]
    if not is_local(model.lm):
        yield from ((one, len(model.lm.tok_encode("".join(parts)))) for one, parts in zip(asked, texts, strict=True))
        return
    encoder = encoder_of(model.lm)
    for one, (before, after) in zip(
        asked, encoder.pairs([(parts[0], "".join(parts[1:])) for parts in texts]), strict=True
    ):
        yield one, len(before) + len(after)


def _chat_template(model: LoadedModel, prompting: Prompting) -> Any:
    if not prompting.chat_template:
        return None
    tokenizer = model.tokenizer
    if tokenizer is not None and not getattr(tokenizer, "chat_template", None):
        raise CheckpointError(
            "The checkpoint's tokenizer",
            "has no chat template",
            "leave out --apply_chat_template, or set the template",
        )
    chosen = model.lm.chat_template(prompting.chat_template)
    if tokenizer is not None and not chosen:
        raise CheckpointError("The chat template", f"{prompting.chat_template!r} does not exist", "name another one")
    return model.lm.apply_chat_template


def refuse_double_bos(model: LoadedModel, items: Sequence[Item]) -> None:
    """Refuse prompts that begin with two BOS tokens, by the first of them.

    Raises:
        CheckpointError: They do.
    """
    bos = getattr(model.tokenizer, "bos_token_id", None)
    if bos is None or not items:
        return
    first = model.lm.tok_encode(items[0].instances[0].args[0])[:2]
    if list(first) == [bos, bos]:
        raise CheckpointError(
            "The prompt", "begins with two BOS tokens (template and tokenizer each add one)",
            "add add_bos_token=False to --model_args",
        )  # fmt: skip


def _doc_hash(doc: Any) -> str:
    return _hash(json.dumps(doc, indent=2, default=_plain, ensure_ascii=False))


def _hash(text: Any) -> str:
    return hashlib.sha256(str(text).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """JSON form of numpy values, as lm-eval's ``handle_non_serializable`` (0.4.13) has it."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    return list(value) if isinstance(value, set) else str(value)


def requests_of(items: Sequence[Item]) -> Mapping[str, list[Any]]:
    """Requests of several items by lm-eval's request type, repeats expanded as lm-eval does."""
    by_type: dict[str, list[Any]] = {}
    for item in items:
        for instance in item.instances:
            by_type.setdefault(instance.request_type, []).extend([instance] * instance.repeats)
    return by_type
