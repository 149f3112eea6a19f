"""Prompt files: strict, versioned, filled completely or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.errors import DataError, MissingInputError
from synth.prompts import Prompt, prompt, purposes

DIGESTS = Path(__file__).resolve().parent.parent / "golden" / "prompt_digests.yaml"
GOOD = {
    "id": "greet",
    "version": 1,
    "answer": "synth.recipe:Source",
    "system": "You greet.",
    "user": "Greet {{ name }}.",
}


def write(folder: Path, **changes: object) -> Path:
    """A folder with one prompt file that differs from a good one."""
    (folder / "greet.yaml").write_text(yaml.safe_dump(GOOD | changes), encoding="utf-8")
    return folder


def test_every_prompt_of_the_package_has_a_committed_digest() -> None:
    """A changed text without a new version is caught: raise the version, then add its digest to the list."""
    committed = yaml.safe_load(DIGESTS.read_text(encoding="utf-8"))
    shipped = {purpose: {found.version: found.digest} for purpose in purposes() for found in [prompt(purpose)]}
    missing = {
        purpose: versions for purpose, versions in shipped.items()
        if not versions.items() <= committed.get(purpose, {}).items()
    }  # fmt: skip
    assert missing == {}, f"add to {DIGESTS.name}, under a new version where the old one is listed with another digest"


def test_every_prompt_of_the_package_names_a_real_answer() -> None:
    """The answer of each prompt can be imported and has a JSON schema."""
    for purpose in purposes():
        found = prompt(purpose)
        assert found.model is None or "properties" in found.schema_text


def test_messages_are_filled(tmp_path: Path) -> None:
    """System and user text come out in order, with the variables in them."""
    made = prompt("greet", write(tmp_path, user="Greet {{ name }} as {{ forms | json }}: {{ answer_schema }}"))
    system, user = made.messages({"name": "Ada", "forms": ["<b>", "é"]})
    assert system == {"role": "system", "content": "You greet."}
    assert user["content"].startswith('Greet Ada as ["<b>", "é"]: {')
    assert '"dataset"' in user["content"]


def test_a_missing_variable_is_an_error(tmp_path: Path) -> None:
    """No prompt goes out with a hole in it."""
    with pytest.raises(DataError, match=r"greet, version 1: cannot be filled .*'name' is undefined"):
        prompt("greet", write(tmp_path)).messages({})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "wrong at colour"),
        ({"version": "new"}, "wrong at version"),
        ({"id": "leave"}, "says that its id is leave"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """Unknown keys, wrong types and a name that does not fit are said with the file."""
    with pytest.raises(DataError, match=message):
        prompt("greet", write(tmp_path, **changes))


@pytest.mark.parametrize("text", ["{", "- 1", "user: only"])
def test_a_file_that_is_no_prompt_is_refused(tmp_path: Path, text: str) -> None:
    """Broken YAML, a list and missing keys are errors."""
    (tmp_path / "greet.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"greet\.yaml"):
        prompt("greet", tmp_path)


def test_an_unknown_purpose_lists_the_known(tmp_path: Path) -> None:
    """The message names what there is."""
    with pytest.raises(MissingInputError, match="name one of: greet"):
        prompt("part", write(tmp_path))


@pytest.mark.parametrize("answer", ["synth.recipe:Nothing", "no.such:Thing", "synth.recipe:read_recipe", "x"])
def test_an_answer_that_is_no_model_is_refused(answer: str) -> None:
    """The type of the answer must be importable and a pydantic model."""
    with pytest.raises(DataError, match="names the answer"):
        _ = Prompt(**GOOD | {"answer": answer}).model


def test_a_broken_template_is_refused() -> None:
    """A syntax error names the prompt."""
    with pytest.raises(DataError, match="greet: is no jinja2 template"):
        Prompt(**GOOD | {"user": "{% if %}"}).messages({})


def test_every_field_is_in_the_digest() -> None:
    """Two prompts that differ anywhere differ in their digests."""
    changes = [{}, {"id": "a"}, {"version": 2}, {"answer": ""}, {"system": ""}, {"user": "Hi."}]
    assert len({Prompt(**GOOD | change).digest for change in changes}) == len(changes)
