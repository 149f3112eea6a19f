"""Rows as tokens: what is read and what is learned of each.

A prompt is read, its completion is learned, the end token with it. Where a text ends between the two, TRL's rule holds:
the completion begins where the tokens of prompt and whole part. A conversation with several answers is learned answer
by answer, which needs a chat template that marks them.

Source: TRL 1.16, ``SFTTrainer._prepare_dataset``; equal tokens and labels are tested against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import CheckpointError

_UNLEARNED = -100
"""What the loss leaves out."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row in tokens.

    Attributes:
        ids: Tokens.
        labels: The same, -100 where nothing is learned.
        start: Tokens before the first that is learned.
        merged: Whether the prompt's last token is another one once the completion follows.
    """

    ids: Sequence[int]
    labels: Sequence[int]
    start: int
    merged: bool = False


def encode(rows: Sequence[Mapping[str, Any]], tokenizer: Any, template: str) -> Iterator[Encoded]:
    """Rows in tokens.

    Args:
        rows: With ``prompt`` and ``completion`` as texts, or with ``messages``.
        tokenizer: The tokenizer.
        template: How texts are shown: ``plain``, or ``chat`` for the tokenizer's chat template.

    Raises:
        CheckpointError: The chat template is absent, does not end answers, or does not mark them.
    """
    if template == "plain":
        texts = [row for row in rows if "prompt" in row]
        pairs = iter(_plain(texts, tokenizer) if texts else ())
        yield from (next(pairs) if "prompt" in row else _chat(row["messages"], tokenizer) for row in rows)
    else:
        yield from (_chat(row["messages"] if "messages" in row else _conversation(row), tokenizer) for row in rows)


def _plain(rows: Sequence[Mapping[str, str]], tokenizer: Any) -> Iterator[Encoded]:
    end = tokenizer.eos_token
    wholes = [row["prompt"] + row["completion"].removesuffix(end) + end for row in rows]
    prompts = tokenizer([row["prompt"] for row in rows], verbose=False)["input_ids"]
    for prompt, whole in zip(prompts, tokenizer(wholes, verbose=False)["input_ids"], strict=True):
        yield _parted(prompt, whole)


def _conversation(row: Mapping[str, str]) -> list[dict[str, str]]:
    answer = row["completion"].strip()  # a template sets its own space
    return [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": answer}]


def _chat(messages: Sequence[Mapping[str, str]], tokenizer: Any) -> Encoded:
    if not tokenizer.chat_template:
        raise CheckpointError(
            "The base's tokenizer", "has no chat template, which messages need",
            "use template: plain with texts, or save a chat_template with the tokenizer",
        )  # fmt: skip
    several = sum(turn["role"] == "assistant" for turn in messages) > 1
    one = _marked(messages, tokenizer) if several else _last(messages, tokenizer)
    if not set(one.labels) & set(tokenizer.all_special_ids):
        raise CheckpointError(
            "The chat template", "does not end the answer with a special token that is learned, so a model would "
            "never learn to stop", "end answers with the end token, inside the {% generation %} marks",
        )  # fmt: skip
    return one


def _last(messages: Sequence[Mapping[str, str]], tokenizer: Any) -> Encoded:
    show = tokenizer.apply_chat_template
    prompt = show(messages[:-1], tokenize=True, add_generation_prompt=True, return_dict=False)
    return _parted(prompt, show(messages, tokenize=True, return_dict=False))


def _marked(messages: Sequence[Mapping[str, str]], tokenizer: Any) -> Encoded:
    if "generation %}" not in tokenizer.chat_template:
        raise CheckpointError(
            "The chat template", "does not mark answers, which conversations with several answers need",
            "put {% generation %} and {% endgeneration %} around them, or give rows with one answer each",
        )  # fmt: skip
    shown = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
    ids, learned = shown["input_ids"], shown["assistant_masks"]
    labels = [token if take else _UNLEARNED for token, take in zip(ids, learned, strict=True)]
    return Encoded(ids, labels, learned.index(1) if 1 in learned else len(ids))


def _parted(prompt: Sequence[int], whole: Sequence[int]) -> Encoded:
    start = next((n for n, pair in enumerate(zip(prompt, whole, strict=False)) if pair[0] != pair[1]), len(prompt))
    start = min(start, len(whole))
    return Encoded(whole, [*[_UNLEARNED] * start, *whole[start:]], start, merged=start < len(prompt))
