"""``tree`` beside other engines on the same prompts: lighteval, transformers' ``generate``, continuous batching.

    python -m benchmarks.scorer.beside --mirror DIR [--model A] [--documents 16]

Scoring: 5-shot MMLU. Generation: named-entity prompts, greedy, the same number of new tokens and no stop strings, so
that all do the same work. CPU-seconds of one thread, loading included. An engine that fails is told with its reason;
lighteval is measured where it is installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scorer.models import folder_of
from benchmarks.scorer.speed import loaded
from benchmarks.scorer.works import WORKS, requests_of

NEW_TOKENS = 32


def main() -> None:
    """Print one line per engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path("build/scorer"))
    parser.add_argument("--model", default="A")
    parser.add_argument("--documents", type=int, default=16)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    folder = str(folder_of(options.model, options.scratch))
    asked = requests_of(WORKS["mmlu 5-shot"], options.documents, options.mirror)
    loaded("tree", folder, 1).loglikelihood(asked[:2], disable_tqdm=True)  # the first side does not pay the imports
    _show("scoring", asked, {
        "tree": lambda: loaded("tree", folder, 1).loglikelihood(asked, disable_tqdm=True),
        "lm-eval hf, batch size 1": lambda: loaded("hf", folder, 1).loglikelihood(asked, disable_tqdm=True),
        "lighteval": lambda: _lighteval(folder, asked),
    })  # fmt: skip
    requests = requests_of(WORKS["ner generation"], options.documents, options.mirror)
    for request in requests:
        request.arguments = (request.args[0], {"until": [], "max_gen_toks": NEW_TOKENS, "do_sample": False})
    prompts = [loaded("hf", folder, 1).tok_encode(request.args[0]) for request in requests]
    _show("generation", requests, {
        "tree": lambda: loaded("tree", folder, 1).generate_until(requests, disable_tqdm=True),
        "lm-eval hf, batch size 8": lambda: loaded("hf", folder, 8).generate_until(requests, disable_tqdm=True),
        "transformers generate, one by one": lambda: _one_by_one(folder, prompts),
        "transformers continuous batching": lambda: _continuous(folder, prompts),
    })  # fmt: skip


def _show(what: str, requests: Sequence[Any], sides: dict[str, Callable[[], Sequence[Any]]]) -> None:
    for name, side in sides.items():
        started = time.process_time()
        try:
            side()
        except Exception as error:  # the table says what another engine could not do
            print(f"{what}, {name}: failed ({type(error).__name__}: {str(error)[:150]!r})", flush=True)
            continue
        print(f"{what}, {name}: {time.process_time() - started:.1f} s for {len(requests)} requests", flush=True)


def _lighteval(folder: str, requests: Sequence[Any]) -> Sequence[Any]:
    from lighteval.models.transformers.transformers_model import TransformersModel, TransformersModelConfig
    from lighteval.tasks.requests import Doc, SamplingMethod

    choices: dict[str, list[str]] = {}
    for request in requests:
        choices.setdefault(request.args[0], []).append(request.args[1])
    docs = [
        Doc(query=query, choices=ends, gold_index=0, id=str(number), task_name="mmlu",
            sampling_methods=[SamplingMethod.LOGPROBS])
        for number, (query, ends) in enumerate(choices.items())
    ]  # fmt: skip
    config = TransformersModelConfig(model_name=folder, batch_size=1, dtype="float32", device="cpu")
    return list(TransformersModel(config)._loglikelihood_tokens(docs))


def _model(folder: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def _one_by_one(folder: str, prompts: Sequence[list[int]]) -> Sequence[Any]:
    import torch

    model = _model(folder)
    return [
        model.generate(torch.tensor([ids]), max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False)
        for ids in prompts
    ]


def _continuous(folder: str, prompts: Sequence[list[int]]) -> Sequence[Any]:
    from transformers import GenerationConfig

    settings = GenerationConfig(max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=-1, pad_token_id=1)
    return list(_model(folder).generate_batch(inputs=list(prompts), generation_config=settings).values())


if __name__ == "__main__":
    main()
