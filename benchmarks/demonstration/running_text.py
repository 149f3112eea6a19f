"""Loss of checkpoints on running text that no suite scores: what a tuning costs where no instruction is given.

``python -m benchmarks.demonstration.running_text --mirror DIR CHECKPOINT...``
"""

from __future__ import annotations

import math
from pathlib import Path

import click
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.nano.corpus import documents
from benchmarks.nano.perplexity import held_out


@click.command()
@click.argument("checkpoints", nargs=-1, required=True)
@click.option("--mirror", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--tokens", default=8192, show_default=True)
def main(checkpoints: tuple[str, ...], mirror: Path, tokens: int) -> None:
    """Print nats per token of the validation split of wikitext-2, for each CHECKPOINT."""
    for checkpoint in checkpoints:
        net = AutoModelForCausalLM.from_pretrained(checkpoint)
        tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        texts = documents(mirror, "wikitext", "validation")
        print(f"{math.log(held_out(net, tokenizer, texts, tokens)['perplexity']):.3f} {checkpoint}")


if __name__ == "__main__":
    main()
