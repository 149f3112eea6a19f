"""Prompts are files with versions: ``<purpose>.yaml`` beside this module, jinja2 text, and the type of the answer.

A file has exactly these keys::

    id: judge                         # the purpose, and the name of the file
    version: 1                        # raised with every change of the text; answers are cached by it
    answer: synth.filters:Judgement   # pydantic model of the answer, as module:name; empty for plain text
    system: |
      ...
    user: |
      ... {{ text }} ... {{ labels | json }} ... {{ answer_schema }}

Templates see the variables of a request, ``answer_schema`` (the JSON schema of the answer) and the filter ``json``
(compact JSON; jinja's own ``tojson`` escapes for HTML). A variable that is not given is an error, never empty text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import jinja2
import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import DataError, MissingInputError
from synth.recipe import Settings
from synth.records import digest

FOLDER = Path(__file__).parent
Message = dict[str, str]
"""One message of a chat: ``role`` and ``content``."""

_TEMPLATES = jinja2.Environment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)
_TEMPLATES.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)


class Prompt(Settings):
    """One prompt file.

    Attributes:
        id: Purpose.
        version: Number that is raised with every change.
        system: Template of the system message; empty for none.
        user: Template of the user message.
        answer: Pydantic model of the answer as ``module:name``; empty where plain text is wanted.
    """

    id: str
    version: int
    user: str
    system: str = ""
    answer: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of id, version, texts and the answer's type."""
        return digest(self.model_dump())

    @cached_property
    def model(self) -> type[BaseModel] | None:
        """The type of the answer; None for plain text.

        Raises:
            DataError: ``answer`` does not name a pydantic model.
        """
        if not self.answer:
            return None
        try:
            found = resolve_name(self.answer)
        except (ImportError, AttributeError, ValueError) as error:
            raise DataError(f"Prompt {self.id}", f"names the answer {self.answer} ({error})", "correct it") from error
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            raise DataError(f"Prompt {self.id}", f"names the answer {self.answer}, no pydantic model", "correct it")
        return found

    @cached_property
    def schema_text(self) -> str:
        """JSON schema of the answer; empty for plain text."""
        return json.dumps(self.model.model_json_schema(), ensure_ascii=False) if self.model else ""

    @cached_property
    def _parts(self) -> tuple[tuple[str, jinja2.Template], ...]:
        texts = {"system": self.system, "user": self.user}
        try:
            return tuple((role, _TEMPLATES.from_string(text)) for role, text in texts.items() if text)
        except jinja2.TemplateSyntaxError as error:
            raise DataError(f"Prompt {self.id}", f"is no jinja2 template ({error})", "correct it") from error

    def messages(self, variables: Mapping[str, Any]) -> list[Message]:
        """The messages of a request.

        Raises:
            DataError: The template needs a variable that is not given, or cannot be rendered.
        """
        known = {**variables, "answer_schema": self.schema_text}
        try:
            return [{"role": role, "content": part.render(known).strip()} for role, part in self._parts]
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            raise DataError(
                f"Prompt {self.id}, version {self.version}", f"cannot be filled ({error})",
                "give the variable or correct the prompt",
            ) from error  # fmt: skip


@cache
def prompt(purpose: str, folder: Path = FOLDER) -> Prompt:
    """The prompt of a purpose, read once.

    Raises:
        MissingInputError: There is no such file.
        DataError: It is no YAML, has unknown or missing keys, or another id than its name.
    """
    path = folder / f"{purpose}.yaml"
    try:
        found = Prompt.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        known = ", ".join(purposes(path.parent)) or "none"
        raise MissingInputError(f"Prompt {path.stem}", "is not there", f"name one of: {known}") from error
    except yaml.YAMLError as error:
        raise DataError(f"Prompt {path}", f"is no YAML ({' '.join(str(error).split())})", "correct it") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(f"Prompt {path}", f"is wrong at {place} ({first['msg']})", "correct it") from error
    if found.id != path.stem:
        raise DataError(f"Prompt {path}", f"says that its id is {found.id}", "give it the name of its file")
    return found


def purposes(folder: Path = FOLDER) -> tuple[str, ...]:
    """Every purpose that has a prompt, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))
