"""Batches of text from a transformers checkpoint, constrained by a JSON schema where xgrammar is installed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, UnavailableError
from synth.prompts import Message, Prompt
from synth.recipe import TeacherSettings
from synth.teachers.dialogue import Call
from synth.teachers.replies import completion

_FILES = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.model", "*.txt")


def model_digest(folder: Path) -> str:
    """SHA-256 of the files that make a checkpoint, by name: other weights are another teacher."""
    made = hashlib.sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            made.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return made.hexdigest()


def constrained(settings: TeacherSettings) -> bool:
    """Whether a grammar holds answers to their schema: wanted, and xgrammar is installed."""
    return settings.structured and find_spec("xgrammar") is not None


class Generator:
    """A loaded model with its tokenizer.

    Attributes:
        too_long: Why a call has no text: its prompt leaves no room.
    """

    def __init__(self, folder: Path, settings: TeacherSettings) -> None:
        """Load.

        Raises:
            CheckpointError: The folder holds no model that can generate.
        """
        import torch
        import transformers
        from safetensors import SafetensorError

        transformers.utils.logging.disable_progress_bar()
        cuda = torch.cuda.is_available()
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
            dtype = "auto" if cuda else torch.float32
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(
                f"Model {folder}", f"cannot be loaded ({reason})", "name another checkpoint"
            ) from error
        self._model = model.to("cuda" if cuda else "cpu").eval()
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._settings = settings
        self._room = int(model.config.max_position_embeddings) - settings.max_tokens
        self.too_long = (
            f"the prompt has more than {max(0, self._room)} tokens, what teacher.max_tokens leaves of the context"
        )
        self._grammar = _grammar(self._tokenizer, model.config.vocab_size) if constrained(settings) else None

    def generate(self, calls: list[Call]) -> list[str | None]:
        """A raw completion body for each call; None where the prompt is too long.

        Args:
            calls: Of one type of answer.

        Raises:
            UnavailableError: There is no memory for the batch.
        """
        import torch

        texts = [self._text(call.body["messages"]) for call in calls]
        lengths = [len(ids) for ids in self._tokens(texts)["input_ids"]]
        fitting = [number for number, length in enumerate(lengths) if length <= self._room]
        made: list[str | None] = [None] * len(calls)
        if not fitting:
            return made
        batch = self._tokens([texts[number] for number in fitting], padding=True, return_tensors="pt")
        try:
            with torch.random.fork_rng(), torch.inference_mode():
                torch.manual_seed(int(calls[fitting[0]].key[:8], 16))  # the key holds the recipe's seed
                out = self._model.generate(**batch.to(self._model.device), **self._options(calls[0].prompt))
        except torch.OutOfMemoryError as error:
            raise UnavailableError(
                f"Model {self._model.name_or_path}", f"has no memory for {len(fitting)} answers at once",
                "lower teacher.concurrency or teacher.max_tokens",
            ) from error  # fmt: skip
        width = batch["input_ids"].shape[1]
        for row, number in enumerate(fitting):
            made[number] = self._completion(out[row, width:].tolist(), lengths[number])
        return made

    def _tokens(self, texts: list[str], **options: Any) -> Any:
        templated = bool(self._tokenizer.chat_template)  # a template writes the special tokens itself
        return self._tokenizer(texts, add_special_tokens=not templated, return_token_type_ids=False, **options)

    def _text(self, messages: list[Message]) -> str:
        if not self._tokenizer.chat_template:
            return "\n\n".join(message["content"] for message in messages) + "\n\n"
        import jinja2

        render = self._tokenizer.apply_chat_template
        try:
            return str(render(messages, tokenize=False, add_generation_prompt=True))
        except jinja2.TemplateError:  # a template that knows no system role gets its text with the question
            if messages[0]["role"] != "system":
                raise
            system, user, *rest = messages
            both = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
            return str(render([both, *rest], tokenize=False, add_generation_prompt=True))

    def _options(self, prompt: Prompt) -> dict[str, Any]:
        sampling = {"do_sample": True, "temperature": self._settings.temperature} if self._settings.temperature else {}
        options: dict[str, Any] = {"do_sample": False, **sampling, "max_new_tokens": self._settings.max_tokens}
        if self._grammar is not None and prompt.model is not None:
            options["logits_processor"] = [self._grammar(prompt.schema_text)]
        return options | {"pad_token_id": self._tokenizer.pad_token_id}

    def _completion(self, ids: list[int], prompt_tokens: int) -> str:
        ends = self._model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends])
        length = next((number for number, token in enumerate(ids) if token in ends), None)
        said = ids if length is None else ids[:length]
        text = self._tokenizer.decode(said, skip_special_tokens=True)
        return completion(text, "length" if length is None else "stop", prompt_tokens, len(said))


def _grammar(tokenizer: Any, vocabulary: int) -> Callable[[str], Any]:
    """From a JSON schema to a processor for one call of ``generate``."""
    xgrammar, processors = import_module("xgrammar"), import_module("xgrammar.contrib.hf")
    compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocabulary))

    def processor(schema: str) -> Any:
        return processors.LogitsProcessor(compiler.compile_json_schema(schema, any_whitespace=False))

    return processor
