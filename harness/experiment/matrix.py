"""A matrix: the YAML file that says which checkpoints are made, what they are scored on, and what is held against what.

It is read strictly: an unknown key, a repeated key or a wrong value is refused with its file, line and field, because
a matrix that is misread in silence costs hours of computing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.errors import DataError, MissingInputError, UsageError

EMBEDDED = "embedded"
"""In ``bases``: the checkpoint that ships with the package."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,59}$")]
"""A name that becomes a folder and a part of ``{data.name.selection}``."""

Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Lines = Mapping[tuple[str, ...], int]


class Part(BaseModel):
    """Frozen; a key that does not exist is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Part):
    """Data for arms, made once; once per seed where the recipe has ``{seed}``.

    Attributes:
        extends: Data whose producer and recipe this entry starts from.
        producer: Name of a producer of data.
        recipe: A recipe in the producer's own form, or the path of one; with ``extends`` what differs.
    """

    extends: Name | None = None
    producer: str | None = None
    recipe: dict[str, Any] | Path | None = None


class Arm(Part):
    """A way to make a checkpoint, once per base; and once per seed where the recipe, or what it uses, has ``{seed}``.

    Attributes:
        extends: Arm whose producer, recipe and start this one begins with.
        producer: Name of a producer of checkpoints; null for the base itself.
        recipe: A recipe in the producer's own form, or the path of one; with ``extends`` what differs.
        start: Arm whose checkpoint this one starts from, instead of the base.
    """

    extends: Name | None = None
    producer: str | None = None
    recipe: dict[str, Any] | Path | None = None
    start: Name | None = None


class Compare(Part):
    """Two arms that are held against each other, for each base.

    Attributes:
        candidate: Arm in question.
        baseline: Arm that it is held against.
        claim: ``recipe`` demands three or more pairs of seeds, ``checkpoint`` compares pair by pair; by default the
            first where there are enough pairs.
        policies: Gate policy per suite, by name or path; none of them makes no verdict.
    """

    candidate: Name
    baseline: Name
    claim: Literal["recipe", "checkpoint"] | None = None
    policies: dict[str, str] = {}


class Matrix(Part):
    """Everything that an experiment consists of.

    Attributes:
        matrix: Its name.
        title: One line for people.
        bases: Folder or hub id of each base checkpoint, by name; ``embedded`` for the one of the package.
        seeds: Training seeds; each fills ``{seed}`` in recipes.
        data: Producers of data, by name.
        arms: Producers of checkpoints, by name.
        suites: Suites that every checkpoint is scored on; each list among them is one run.
        compare: What is held against what.
        limit: Items per task: a count, a share below 1, or null for all; a mapping gives it per suite.
        apply_chat_template: Wrap prompts in the tokenizer's chat template.
        log_samples: Keep documents, prompts and answers in the records.
        include: Folders with cards and suites of one's own.
    """

    matrix: Name
    title: str = ""
    bases: dict[Name, str] = Field(default={"nano": EMBEDDED}, min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(0, 1, 2), min_length=1)
    data: dict[Name, Data] = {}
    arms: dict[Name, Arm] = Field(min_length=1)
    suites: tuple[tuple[str, ...], ...] = Field(min_length=1)
    compare: tuple[Compare, ...] = ()
    limit: Limit | dict[str, Limit] | None = None
    apply_chat_template: bool = False
    log_samples: bool = True
    include: tuple[Path, ...] = ()

    @field_validator("suites", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        """A plain list of suites is one run."""
        return [value] if isinstance(value, list) and value and all(isinstance(one, str) for one in value) else value

    @field_validator("seeds", mode="after")
    @classmethod
    def _once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a seed is given twice")
        return value


def matrix_names() -> list[str]:
    """Names of the matrices that ship with the package."""
    return sorted(Path(entry.name).stem for entry in (files("harness") / "assets" / "matrices").iterdir())


def matrix_path(reference: str) -> Path:
    """The file that a reference means: a path, or the name of a matrix that ships with the package.

    Raises:
        MissingInputError: There is no such file.
        UsageError: It is neither a file nor a known name.
    """
    path = Path(reference)
    if path.is_file():
        return path
    names = matrix_names()
    if reference in names:
        return Path(str(files("harness") / "assets" / "matrices" / f"{reference}.yaml"))
    if path.suffix or len(path.parts) > 1:
        raise MissingInputError(f"Matrix {reference}", "is not there", f"name a YAML file, or {' or '.join(names)}")
    raise UsageError(f"Matrix {reference!r}", "is not known", nearest(reference, names, f"see {', '.join(names)}"))


def read_matrix(path: Path) -> Matrix:
    """The matrix of a YAML file.

    Raises:
        MissingInputError: The file is not there.
        DataError: It is no YAML, repeats a key, or a key or value is wrong; the message names file, line and field.
    """
    content, lines = read_yaml(path, "Matrix")
    try:
        return Matrix.model_validate(content)
    except ValidationError as error:
        raise _wrong(path, lines, error.errors()[0]) from error


def read_yaml(path: Path, what: str) -> tuple[dict[str, Any], Lines]:
    """The mapping in a YAML file, and the line of each of its keys.

    Args:
        path: The file.
        what: What it is, for messages.

    Raises:
        MissingInputError: The file is not there.
        DataError: It is no YAML, no mapping, or repeats a key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node, content = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
        keys = list(_keys(node, (), frozenset())) if node is not None else []
    except FileNotFoundError as error:
        raise MissingInputError(f"{what} {path}", "is not there", "name a YAML file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = f"cannot be read ({' '.join(str(error).split())})"
        raise DataError(f"{what} {path}", reason, "correct it") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(content, dict):
        raise DataError(f"{what} {path}", "does not hold a mapping", "write key: value pairs")
    lines: dict[tuple[str, ...], int] = {}
    for place, line in keys:
        if place in lines:
            reason = f"is given twice, first on line {lines[place]}"
            raise DataError(f"{path}, line {line}, field {'.'.join(place)}", reason, "rename or remove one of them")
        lines[place] = line
    return content, lines


def _keys(node: yaml.Node, place: tuple[str, ...], above: frozenset[int]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Every key below a node with its line.

    Raises:
        YAMLError: The node holds itself, by an alias.
    """
    if id(node) in above:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1} holds itself")
    above |= {id(node)}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = (*place, str(key.value))
            yield name, key.start_mark.line + 1
            yield from _keys(value, name, above)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _keys(value, (*place, str(number)), above)


def _wrong(path: Path, lines: Lines, error: Any) -> DataError:
    """The error for what pydantic has found first."""
    place = tuple(map(str, error["loc"]))
    known = next((place[:size] for size in range(len(place), 0, -1) if place[:size] in lines), ())
    shown = known if error["type"] != "missing" else place
    thing = f"{path}, line {lines.get(known, 1)}" + (f", field {'.'.join(shown)}" if shown else "")
    if error["type"] == "extra_forbidden":
        hint = nearest(place[-1], _fields(place[:-1]), "see docs/experiments.md")
        return DataError(thing, "is not a known field", hint)
    if error["type"] == "missing":
        return DataError(thing, "is missing", "add it")
    return DataError(thing, f"has a wrong value ({error['msg'].removeprefix('Value error, ')})", "correct it")


def _fields(place: tuple[str, ...]) -> Sequence[str]:
    kinds: dict[str, type[Part]] = {"arms": Arm, "data": Data, "compare": Compare}
    kind = kinds.get(place[0], Matrix) if place else Matrix
    return list(kind.model_fields)


def nearest(name: str, known: Sequence[str], otherwise: str) -> str:
    """What to do about an unknown name: the nearest of those that are known, or something else."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else otherwise
