"""From a matrix to its cells: what is made of what, in which order, and a key that says from which inputs.

A cell's key is a digest of its producer, its recipe with everything that the recipe uses (by key or by content), and of
what it starts from. Equal keys mean equal results, so a cell that has been made is not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from harness.catalog import digest_of
from harness.errors import DataError
from harness.experiment.matrix import EMBEDDED, Arm, Data, Matrix, nearest
from harness.experiment.recipes import SEED, filled, load_recipe, over, references, texts

CORPUS = "corpus"
"""Where a producer of data leaves it, below its folder; a selection of it lies in ``corpus-<name>``."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Data or an arm, with everything that it extends.

    Attributes:
        name: ``data.hum`` or ``arm.with``.
        producer: Name of its producer.
        recipe: Its recipe, not yet filled in.
        needs: Names of what it uses or starts from.
        start: Arm that it starts from, if not from the base.
    """

    name: str
    producer: str
    recipe: Mapping[str, Any]
    needs: tuple[str, ...]
    start: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to be made.

    Attributes:
        label: ``data/hum``, ``nano/with/seed-1``.
        name: ``data.hum`` or ``arm.with``.
        base: Name of its base; None for data.
        seed: Its training seed; None where it has none.
        producer: Name of its producer.
        recipe: Its recipe, filled in.
        start: Folder or hub id of the checkpoint that it starts from.
        folder: Where it is made.
        needs: Labels of the cells that it uses.
        key: Digest of everything that shapes it.
    """

    label: str
    name: str
    base: str | None
    seed: int | None
    producer: str
    recipe: Mapping[str, Any]
    start: str
    folder: Path
    needs: tuple[str, ...]
    key: str

    @property
    def arm(self) -> str:
        """Name of its arm, or of its data."""
        return self.name.partition(".")[2]


def definitions(matrix: Matrix, path: Path) -> dict[str, Definition]:
    """Data and arms of a matrix by name, each after what it needs.

    Args:
        matrix: The matrix.
        path: Its file; relative paths in recipes start beside it.

    Raises:
        DataError: A name is unknown, something extends or needs itself in the end, or a selection is not made.
    """
    found: dict[str, Definition] = {}
    for kind, entries in (("data", matrix.data), ("arm", matrix.arms)):
        parts: Mapping[str, Data | Arm] = entries
        for name in ordered({name: [one.extends] if one.extends else [] for name, one in parts.items()}, path, kind):
            found[f"{kind}.{name}"] = _defined(kind, name, parts[name], found, path)
    graph = {name: one.needs for name, one in found.items()}
    _refuse_unknown(found, path)
    in_file = [f"data.{name}" for name in matrix.data] + [f"arm.{name}" for name in matrix.arms]
    return {name: found[name] for name in ordered({name: graph[name] for name in in_file}, path)}


def ordered(graph: Mapping[str, Sequence[str]], path: Path, kind: str = "") -> list[str]:
    """Names of a graph in its own order, but each after what it needs.

    Args:
        graph: What each name needs.
        path: The matrix, for messages.
        kind: ``data`` or ``arm`` where the names are only of one kind.

    Raises:
        DataError: A name needs itself in the end, or one that is not there.
    """
    done: dict[str, None] = {}
    for name in graph:
        stack = [(name, iter(graph[name]))]
        while stack and name not in done:
            top, rest = stack[-1]
            below = next((one for one in rest if one not in done), None)
            if below is None:
                done[top] = None
                stack.pop()
                continue
            _refuse_step(below, [entry for entry, _ in stack], graph, f"Matrix {path}, {kind or 'arm'}".strip())
            stack.append((below, iter(graph[below])))
    return list(done)


def _refuse_step(below: str, above: Sequence[str], graph: Mapping[str, Sequence[str]], place: str) -> None:
    if below not in graph:
        reason = f"names {below}, which the matrix does not have"
        raise DataError(f"{place} {above[-1]}", reason, nearest(below, list(graph), "define it"))
    if below in above:
        cycle = " → ".join([*above[above.index(below) :], below])
        raise DataError(f"{place} {below}", f"needs itself in the end ({cycle})", "break the cycle")


def _defined(kind: str, name: str, part: Data | Arm, found: Mapping[str, Definition], path: Path) -> Definition:
    place = f"Matrix {path}, {kind} {name}"
    below = found[f"{kind}.{part.extends}"] if part.extends else None
    producer = part.producer or (below.producer if below else "synth" if kind == "data" else "null")
    own = load_recipe(part.recipe, path.parent, place)
    recipe = over(below.recipe, own) if below and producer == below.producer else own
    start = (part.start or (below.start if below else None)) if isinstance(part, Arm) else None
    used = [".".join(one.split(".")[:2]) for one in references(recipe) if one != SEED]
    needs = dict.fromkeys([*used, *([f"arm.{start}"] if start else [])])
    if kind == "data" and any(one.startswith("arm.") for one in needs):
        raise DataError(place, "uses an arm", "let data be made before every arm")
    return Definition(f"{kind}.{name}", producer, recipe, tuple(needs), start)


def _refuse_unknown(found: Mapping[str, Definition], path: Path) -> None:
    for one in found.values():
        place = f"Matrix {path}, {one.name.replace('.', ' ', 1)}"
        for name in one.needs:
            if name not in found:
                reason = f"refers to {{{name}}}, which the matrix does not have"
                raise DataError(place, reason, nearest(name, list(found), "define it"))
        for reference in references(one.recipe):
            kind, *rest = reference.split(".", 2)
            if len(rest) == 2 and (kind == "arm" or rest[1] not in set(texts(found[f"data.{rest[0]}"].recipe))):
                reason = f"refers to {{{reference}}}, a selection that {kind} {rest[0]} does not make"
                made = list(texts(found[f"{kind}.{rest[0]}"].recipe))
                raise DataError(place, reason, nearest(rest[1], made, "name it in the recipe of the data"))


def seeded_names(defined: Mapping[str, Definition]) -> set[str]:
    """What differs from seed to seed: it, or something that it needs, has ``{seed}`` in its recipe."""
    seeded: set[str] = set()
    for one in defined.values():
        if SEED in set(references(one.recipe)) or seeded & set(one.needs):
            seeded.add(one.name)
    return seeded


@dataclass(frozen=True)
class Folders:
    """Where the cells of an experiment lie, and what their bases are.

    Attributes:
        out: Folder of the experiment.
        bases: Folder or hub id of each base, by name.
        identity: What identifies a base: its digests, or its hub id where it is not on this machine.
        content: What a file or folder of the user's holds, as digests.
    """

    out: Path
    bases: Mapping[str, str]
    identity: Callable[[str], Any]
    content: Callable[[Path], Any]


def cells(matrix: Matrix, defined: Mapping[str, Definition], folders: Folders) -> dict[str, Cell]:
    """Every cell by label, each after what it needs: data first, then base by base, arm by arm, seed by seed."""
    seeded, made = seeded_names(defined), dict[str, Cell]()
    data = [name for name in defined if name.startswith("data.")]
    arms = [name for name in defined if name.startswith("arm.")]
    wanted = [*product([None], data), *product(folders.bases, arms)]
    for base, name in wanted:
        for seed in matrix.seeds if name in seeded else (None,):
            cell = _cell(defined[name], (base, seed), made, folders)
            made[cell.label] = cell
    return made


def label_of(name: str, base: str | None, seed: int | None) -> str:
    """``data/hum``, ``nano/with/seed-1``."""
    kind, _, own = name.partition(".")
    parts = ["data" if kind == "data" else str(base), own, *([] if seed is None else [f"seed-{seed}"])]
    return "/".join(parts)


def _cell(one: Definition, place: tuple[str | None, int | None], made: Mapping[str, Cell], folders: Folders) -> Cell:
    base, seed = place
    label = label_of(one.name, base, seed)
    used = {name: _used(name, place, made) for name in one.needs}
    reference = folders.bases[base or next(iter(folders.bases))]
    start = used[f"arm.{one.start}"] if one.start else None

    def value(name: str) -> Any:
        if name == SEED:
            return seed
        kind, own, *selection = name.split(".", 2)
        folder = used[f"{kind}.{own}"].folder
        return str(folder if kind == "arm" else folder / "-".join([CORPUS, *selection]))

    def content(name: str) -> Any:
        return seed if name == SEED else [used[".".join(name.split(".")[:2])].key, *name.split(".")[2:]]

    shaped = filled(one.recipe, content, folders.content)
    return Cell(
        label=label,
        name=one.name,
        base=base,
        seed=seed,
        producer=one.producer,
        recipe=filled(one.recipe, value, str),
        start=str(start.folder) if start else reference,
        folder=folders.out / (label if base is None else f"checkpoints/{label}"),
        needs=tuple(cell.label for cell in used.values()),
        key=digest_of([one.producer, shaped, start.key if start else folders.identity(reference)]),
    )


def _used(name: str, place: tuple[str | None, int | None], made: Mapping[str, Cell]) -> Cell:
    """The cell that a cell uses: of its own seed, or the one of no seed."""
    base, seed = place
    own = label_of(name, base, seed)
    return made[own] if own in made else made[label_of(name, base, None)]


def base_reference(reference: str, folder: Path, embedded: str) -> str:
    """Folder or hub id of a base: a relative path starts at the folder of the matrix."""
    if reference == EMBEDDED:
        return embedded
    local = folder / Path(reference).expanduser()
    return str(local.resolve()) if local.is_dir() else reference
