"""CPU-seconds of our training path over plain TRL, on the same rows with the same settings.

    python -m benchmarks.tuning.overhead [--pairs 3] [--rows 1000] [--packing]

Both sides train a LoRA adapter of the embedded checkpoint, in turn, each in a process of its own: they load the base,
turn texts into tokens, train, report and save states as often, and save the adapter. Imports are not counted, as both
need the same. The last losses are printed: they say whether both did the same work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

NANO = Path(__file__).resolve().parents[2] / "harness" / "assets" / "nano"
BATCH, RATE, RANK = 8, 1e-3, 16

OURS = """
import json, sys, time
from pathlib import Path
import peft, trl, datasets
from harness.engines.tasks import quiet_lm_eval
from synth.tuning.recipe import TuningRecipe
from synth.tuning.train import Job, train
base, data, out, settings = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
recipe = TuningRecipe(data=data, batch=settings["batch"], learning_rate=settings["rate"], packing=settings["packing"],
                      lora={"rank": settings["rank"], "alpha": 2 * settings["rank"]})
with quiet_lm_eval():
    started = time.process_time()
    facts = train(Job(base, recipe, out, adapter=True))
print(json.dumps([time.process_time() - started, facts["last_loss"]]))
"""

PLAIN = """
import json, sys, time
import torch
from datasets import disable_progress_bars, load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import SFTConfig, SFTTrainer
base, data, out, settings = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
disable_progress_bars()
started = time.process_time()
rows = load_dataset("json", data_files=data, split="train", cache_dir=out + "/cache")
lora = LoraConfig(r=settings["rank"], lora_alpha=2 * settings["rank"], lora_dropout=0.05, target_modules="all-linear",
                  task_type="CAUSAL_LM")
config = SFTConfig(
    output_dir=out, per_device_train_batch_size=settings["batch"], num_train_epochs=1, learning_rate=settings["rate"],
    max_length=1024, packing=settings["packing"], warmup_steps=0.03, max_grad_norm=0.5, save_steps=0.1,
    logging_steps=0.02, save_total_limit=2, seed=0, bf16=False, use_cpu=True, gradient_checkpointing=None,
    report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
)
trainer = SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), args=config, train_dataset=rows,
    processing_class=AutoTokenizer.from_pretrained(base), peft_config=lora,
)
trainer.remove_callback(PrinterCallback)
trainer.train()
trainer.save_model(out + "/result")
losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
print(json.dumps([time.process_time() - started, losses[-1]]))
"""


def main() -> None:
    """Print the CPU-seconds of each pair and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--packing", action="store_true")
    options = parser.parse_args()
    settings = json.dumps({"batch": BATCH, "rate": RATE, "rank": RANK, "packing": options.packing})
    ratios = []
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "rows.jsonl"
        write_rows(data, options.rows)
        for number in range(options.pairs):
            ours, plain = (
                measured(code, data, Path(scratch) / f"{name}-{number}", settings)
                for name, code in (("ours", OURS), ("plain", PLAIN))
            )
            ratios.append(ours[0] / plain[0])
            print(
                f"pair {number + 1}: ours {ours[0]:.1f} s (last loss {ours[1]:.4f}), "
                f"TRL {plain[0]:.1f} s (last loss {plain[1]:.4f}), ratio {ratios[-1]:.3f}"
            )
    print(f"median ratio {statistics.median(ratios):.3f}")


def write_rows(path: Path, count: int) -> None:
    """Rows of some sixty tokens that a small model learns something from."""
    names = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus")
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            one, other = names[number % 7], names[number * 5 % 6]
            text = f"On day {number} {one} met {other}, and both walked home along the river. " * 2
            row = {"prompt": f"{text}\nWho met?\nAnswer:", "completion": f' {{"people": ["{one}", "{other}"]}}'}
            file.write(json.dumps(row) + "\n")


def measured(code: str, data: Path, out: Path, settings: str) -> tuple[float, float]:
    """CPU-seconds and the last loss of one side, in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, "-c", code, str(NANO), str(data), str(out), settings]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    seconds, loss = json.loads(done.stdout.splitlines()[-1])
    return seconds, loss


if __name__ == "__main__":
    main()
