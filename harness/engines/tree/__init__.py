"""The fast exact scorer: lm-eval's model ``tree``, a drop-in for ``hf`` that does each piece of work once.

Importing this package makes lm-eval know the name; the class and the heavy libraries behind it load when a model is
made. The requests of a call become one prefix tree (``radix``), which is walked depth first in packs of rows
(``pack``); attention joins each pack with the stored keys and values of the open path (``attention``, ``forward``), and
only the rows whose scores are asked go through the output head (``head``, ``loglikelihood``).
"""

import lm_eval.models  # noqa: F401 - lm-eval fills its registry only while it is empty
from lm_eval.api.registry import model_registry

if "tree" not in model_registry:
    model_registry.register("tree", target="harness.engines.tree.model:TreeLM")
