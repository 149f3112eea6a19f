"""Templates compiled once render what lm-eval renders."""

from __future__ import annotations

from lm_eval import utils

from harness.catalog import load_catalog
from harness.engines.tasks import TaskOptions, build_tasks
from harness.engines.templates import compiled_templates

TEMPLATES = (
    "{{text}}\nAnswer:",
    "{{text|regex_replace('a+', 'b')}} {% for one in names %}{{one}}{{', ' if not loop.last}}{% endfor %}",
    "{{['A', 'B', 'C'][label]}}",
    "{% set seen = namespace(n=0) %}{% for one in names %}{% set seen.n = seen.n + 1 %}{% endfor %}{{seen.n}}",
)
DOCS = ({"text": "aah", "names": ["x", "y"], "label": 1}, {"text": "", "names": [], "label": 2})


def test_a_compiled_template_renders_what_a_fresh_one_does() -> None:
    """Also for the second row of a template, with filters, loops and state; afterwards lm-eval is as before."""
    plain = utils.apply_template
    expected = [[plain(template, doc) for doc in DOCS] for template in TEMPLATES]
    with compiled_templates():
        for _ in range(2):
            assert [[utils.apply_template(template, doc) for doc in DOCS] for template in TEMPLATES] == expected
    assert utils.apply_template is plain


def test_requests_of_a_card_are_identical() -> None:
    """Few-shot prompts of a jinja card, built with and without compiled templates."""
    catalog = load_catalog()

    def requests() -> list[object]:
        (built,) = build_tasks((catalog.task("quick_knowledge"),), catalog.folders, None, TaskOptions(num_fewshot=3))
        built.lm_task.build_all_requests(limit=20)
        return [(instance.args, instance.doc_id, instance.idx) for instance in built.lm_task.instances]

    plain = requests()
    with compiled_templates():
        assert requests() == plain
