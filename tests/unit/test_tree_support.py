"""Which checkpoints are left to stock, by what they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from families import REFUSED, SUPPORTED, Family

from harness.engines.tree import falcon
from harness.engines.tree.support import unsupported

TOKENIZER = object()
LLAMA = SUPPORTED[0]


def built(family: Family) -> Any:
    """A model without memory for its weights: support is a matter of structure."""
    config = getattr(transformers, family.config)(**family.settings)
    auto = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    with torch.device("meta"):
        return auto.from_config(config)


@pytest.mark.parametrize("family", SUPPORTED, ids=lambda family: family.name)
def test_supported_families(family: Family) -> None:
    """No reason is found against an architecture that the family tests hold against stock."""
    assert unsupported(built(family), TOKENIZER, {}) is None


@pytest.mark.parametrize("family", REFUSED, ids=lambda family: family.name)
def test_refused_families(family: Family) -> None:
    """The reason names what it is about the architecture."""
    reason = unsupported(built(family), TOKENIZER, {})
    assert reason is not None
    assert str(family.reason) in reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"parallelize": True}, "several devices"),
        ({"tp_plan": "auto"}, "several devices"),
        ({"backend": "seq2seq"}, "encoder"),
        ({"mixed_precision_dtype": "bfloat16"}, "mixed precision"),
    ],
    ids=lambda value: str(value),
)
def test_arguments_that_only_stock_follows(arguments: dict[str, Any], words: str) -> None:
    """Weights over several devices and mixed precision are stock's."""
    assert words in str(unsupported(built(LLAMA), TOKENIZER, arguments))


def test_no_tokenizer() -> None:
    """Without a tokenizer there is nothing to share."""
    assert unsupported(built(LLAMA), None, {}) == "no tokenizer"


def layers_look_ahead(config: Any) -> None:
    """An encoder's attention."""
    config.is_causal = False


def layers_share(config: Any) -> None:
    """As Gemma 3n and 4 do."""
    config.num_kv_shared_layers = 1


def layers_differ(config: Any) -> None:
    """Linear attention in some layers."""
    config.layer_types = ["full_attention", "linear_attention"]


@pytest.mark.parametrize(
    ("change", "words"),
    [(layers_look_ahead, "ahead"), (layers_share, "share keys"), (layers_differ, "linear_attention")],
)
def test_configurations_that_only_stock_follows(change: Callable[[Any], None], words: str) -> None:
    """Whatever the family is called, its configuration tells."""
    model = built(LLAMA)
    change(model.config)
    assert words in str(unsupported(model, TOKENIZER, {}))


def test_a_model_of_several_devices() -> None:
    """A device map with more than one device is stock's."""
    model = built(LLAMA)
    model.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1}
    assert "several devices" in str(unsupported(model, TOKENIZER, {}))


def test_rotary_positions_that_hold_within_the_context() -> None:
    """A long-context rotary embedding is no obstacle where max_length keeps it in its first regime."""
    longrope = built(next(family for family in REFUSED if family.name == "longrope"))
    assert unsupported(longrope, TOKENIZER, {"max_length": 128}) is None
    assert "length" in str(unsupported(longrope, TOKENIZER, {"max_length": 129}))


def test_an_adapter_of_virtual_tokens() -> None:
    """Prompt tuning puts tokens before the text that no request has."""
    from peft import PromptTuningConfig, TaskType, get_peft_model

    model = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig(**LLAMA.settings))
    tuned = get_peft_model(model, PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=2))
    assert unsupported(tuned, TOKENIZER, {}) == "an adapter of virtual tokens"


@pytest.mark.parametrize("name", ["falcon", "falcon-new"])
def test_falcon_computes_as_before_under_its_own_attention(name: str) -> None:
    """Letting Falcon take other attention functions changes nothing where it uses its own; twice is as good as once."""
    family = next(family for family in SUPPORTED if family.name == name)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(transformers.FalconConfig(**family.settings)).eval()
    ids = torch.randint(5, 6000, (2, 17))
    with torch.inference_mode():
        before = model(ids).logits
        for _ in range(2):
            falcon.adapt(model)
            assert torch.equal(model(ids).logits, before)


def test_other_models_are_not_adapted() -> None:
    """Only Falcon is changed."""
    model = built(LLAMA)
    kinds = [type(module) for module in model.modules()]
    falcon.adapt(model)
    assert [type(module) for module in model.modules()] == kinds
