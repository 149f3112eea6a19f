"""The schema that goes with a request."""

from __future__ import annotations

import sys
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from synth.prompts import Prompt, prompt, purposes
from synth.teachers.forms import response_format


class City(BaseModel):
    """An inner object."""

    name: str
    river: str | None = None


class Land(BaseModel):
    """An object with objects in it, and a default."""

    capital: City
    others: list[City] = []
    default: int = 3


class Free(BaseModel):
    """An object with a mapping whose keys the model chooses."""

    capital: City
    rivers: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "forms_under_test", sys.modules[__name__])


def form(name: str) -> dict[str, Any]:
    """The form of a type in this module."""
    asked = Prompt(id="land", version=1, user="?", answer=f"forms_under_test:{name}")
    made = response_format(asked)
    assert made["type"] == "json_schema"
    inner: dict[str, Any] = made["json_schema"]
    return inner


def test_a_strict_schema_is_closed_at_every_level() -> None:
    """Each object has all its keys required, no others, and no defaults; a key named ``default`` stays."""
    made = form("Land")
    assert (made["name"], made["strict"]) == ("land", True)
    for part, keys in (
        (made["schema"], ["capital", "others", "default"]),
        (made["schema"]["$defs"]["City"], ["name", "river"]),
    ):
        assert (part["required"], part["additionalProperties"]) == (keys, False)
        assert not any("default" in one for one in part["properties"].values())
    assert made["schema"]["properties"]["default"]["type"] == "integer"


def test_free_keys_are_not_strict() -> None:
    """A mapping cannot be closed: the schema goes as it is."""
    assert (form("Free")["strict"], form("Free")["schema"]) == (False, Free.model_json_schema())


def test_what_the_closed_schema_takes_is_valid() -> None:
    """A complete answer passes the schema that was sent, and an incomplete one does not."""
    whole = {"capital": {"name": "Lima", "river": None}, "others": [], "default": 1}
    jsonschema.validate(whole, form("Land")["schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(whole | {"capital": {"name": "Lima"}}, form("Land")["schema"])


def test_every_prompt_of_the_package_has_a_schema_that_is_one() -> None:
    """What is sent for each purpose is a valid JSON schema."""
    for purpose in purposes():
        if prompt(purpose).answer:
            jsonschema.Draft202012Validator.check_schema(response_format(prompt(purpose))["json_schema"]["schema"])
