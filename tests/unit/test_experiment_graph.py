"""From a matrix to its cells: order, references, seeds, keys, and what is refused before anything is computed."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import ARMS, content

from harness.errors import DataError
from harness.experiment.graph import Cell, Folders, cells, definitions, ordered, seeded_names
from harness.experiment.matrix import Matrix

PATH = Path("m.yaml")
HUM = {"recipe": {"mix": {"ablations": ["no_rules"]}}}

Graph = dict[str, list[str]]
names = st.sampled_from("abcdefg")
graphs = st.dictionaries(names, st.lists(names, max_size=3), max_size=7).map(
    lambda graph: {name: [one for one in needs if one in graph] for name, needs in graph.items()}
)


def made(identity: str = "nano", files: str = "rows", **changes: Any) -> dict[str, Cell]:
    """Cells of a matrix whose base and files have the given content."""
    matrix = Matrix(**content(**changes))
    folders = Folders(Path("out"), dict(matrix.bases), lambda base: [base, identity], lambda path: files)
    return cells(matrix, definitions(matrix, PATH), folders)


@given(graphs)
def test_order_or_cycle(graph: Graph) -> None:
    """Every graph has either an order in which each name comes after what it needs, or a cycle that is told.

    The oracle is the standard library's TopologicalSorter.
    """
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError:
        with pytest.raises(DataError, match="needs itself in the end") as refused:
            ordered(graph, PATH)
        told = str(refused.value).partition("(")[2].partition(")")[0].split(" → ")
        assert told[0] == told[-1]
        assert all(after in graph[before] for before, after in pairwise(told))
        return
    order = ordered(graph, PATH)
    assert sorted(order) == sorted(graph)
    assert all(order.index(need) < order.index(name) for name, needs in graph.items() for need in needs)


@given(st.lists(names, unique=True))
def test_without_needs_the_order_is_the_file_s(graph: list[str]) -> None:
    """Nothing is moved without a reason."""
    assert ordered({name: [] for name in graph}, PATH) == graph


def test_cells_are_bases_by_arms_by_seeds() -> None:
    """What has {seed} is made once per seed, the base itself once per base, data once for all bases."""
    arms = {**ARMS, "more": {"extends": "tuned", "recipe": {"data": "{data.hum}"}}}
    found = made(bases={"a": "x", "b": "y"}, seeds=[3, 4], data={"hum": HUM}, arms=arms)
    own = ["base", "tuned/seed-3", "tuned/seed-4", "more/seed-3", "more/seed-4"]
    assert list(found) == ["data/hum", *(f"{base}/{name}" for base in "ab" for name in own)]
    cell = found["b/more/seed-4"]
    assert (cell.folder, cell.start, cell.needs) == (Path("out/checkpoints/b/more/seed-4"), "y", ("data/hum",))
    assert cell.recipe == {"data": "out/data/hum/corpus", "seed": 4}


def test_a_selection_is_a_folder_beside_the_corpus() -> None:
    """``{data.hum.no_rules}`` and ``{data.hum}`` share the folder, so one pool is drafted and filtered once."""
    arms = {"a": {"producer": "lora", "recipe": {"data": "{data.hum.no_rules}"}}}
    found = made(data={"hum": HUM}, arms=arms)
    assert found["nano/a"].recipe == {"data": "out/data/hum/corpus-no_rules"}
    assert found["nano/a"].seed is None


def test_seeds_are_handed_on() -> None:
    """An arm on data of a seed, and one that starts from an arm of a seed, are of that seed."""
    arms = {
        "one": {"producer": "lora", "recipe": {"data": "{data.hum}"}},
        "two": {"producer": "merge", "start": "one", "recipe": {"adapter": "{arm.one}/adapter"}},
        "three": {"producer": "null"},
    }
    matrix = Matrix(**content(seeds=[5], data={"hum": {"recipe": {"seed": "{seed}"}}}, arms=arms))
    assert seeded_names(definitions(matrix, PATH)) == {"data.hum", "arm.one", "arm.two"}
    found = made(seeds=[5], data={"hum": {"recipe": {"seed": "{seed}"}}}, arms=arms)
    assert list(found) == ["data/hum/seed-5", "nano/one/seed-5", "nano/two/seed-5", "nano/three"]
    assert found["nano/one/seed-5"].recipe == {"data": "out/data/hum/seed-5/corpus"}
    assert found["nano/two/seed-5"].start == "out/checkpoints/nano/one/seed-5"
    assert found["nano/two/seed-5"].recipe == {"adapter": "out/checkpoints/nano/one/seed-5/adapter"}


def test_an_arm_extends_another_wherever_it_stands() -> None:
    """Producer, recipe and start come from the arm that is extended, also where it stands further down."""
    arms = {
        "c": {"extends": "b", "recipe": {"x": {"z": 3}}},
        "b": {"extends": "a", "recipe": {"x": {"y": 2}}},
        "a": {"producer": "lora", "recipe": {"x": {"y": 1}, "w": 0}, "start": "base"},
        "base": {},
    }
    found = made(arms=arms)
    assert list(found) == ["nano/base", "nano/c", "nano/b", "nano/a"]
    assert found["nano/c"].recipe == {"x": {"y": 2, "z": 3}, "w": 0}
    assert (found["nano/c"].producer, found["nano/c"].start) == ("lora", "out/checkpoints/nano/base")


def test_another_producer_takes_no_recipe_over() -> None:
    """A recipe is in its producer's own form, so one of another producer starts empty."""
    arms = {
        "a": {"producer": "lora", "recipe": {"x": 1}},
        "b": {"extends": "a", "producer": "full", "recipe": {"y": 2}},
    }
    assert made(arms=arms)["nano/b"].recipe == {"y": 2}


def test_a_key_says_from_which_inputs() -> None:
    """It changes with recipe, producer, base, data, files and seed, and with nothing else."""
    arms = {"tuned": {"producer": "lora", "recipe": {"data": "{data.hum}", "seed": "{seed}", "file": "./m.yaml"}}}

    def key(seed: int = 0, **changes: Any) -> str:
        return made(**{"arms": arms, "data": {"hum": HUM}, **changes})[f"nano/tuned/seed-{seed}"].key

    same = key()
    assert key(title="another title", limit=3, seeds=[0, 9], suites=["quick-nlu"]) == same
    recipe = {**arms["tuned"]["recipe"], "more": 1}  # type: ignore[dict-item]
    assert (
        len(
            {
                same,
                key(seed=1),
                key(identity="other"),
                key(data={"hum": {"recipe": {"mix": {"ablations": ["no_rules"], "records": 9}}}}),
                key(arms={"tuned": {"producer": "lora", "recipe": recipe}}),
                key(arms={"tuned": {"producer": "full", "recipe": arms["tuned"]["recipe"]}}),
            }
        )
        == 6
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": {"a": {"extends": "b"}, "b": {"extends": "a"}}}, ["arm", "needs itself in the end (a → b → a)"]),
        ({"arms": {"a": {"start": "b"}, "b": {"start": "a"}}}, ["(arm.a → arm.b → arm.a)", "break the cycle"]),
        ({"arms": {"a": {"start": "a"}}}, ["(arm.a → arm.a)"]),
        ({"arms": {"tuned": {}, "a": {"extends": "tune"}}}, ["names tune", "did you mean tuned?"]),
        ({"arms": {"a": {"recipe": {"x": "{data.hom}"}}}, "data": {"hum": HUM}}, ["{data.hom}", "mean data.hum?"]),
        ({"arms": {"a": {"recipe": {"x": "{arm.b}"}}}}, ["refers to {arm.b}", "does not have"]),
        (
            {"arms": {"a": {"recipe": {"x": "{data.hum.no_rule}"}}}, "data": {"hum": HUM}},
            ["a selection that data hum does not make", "did you mean no_rules?"],
        ),
        ({"data": {"hum": {"recipe": {"x": "{arm.base}"}}}}, ["data hum", "uses an arm"]),
        ({"data": {"a": {"extends": "b"}, "b": {"extends": "a"}}}, ["data", "(a → b → a)"]),
    ],
)
def test_what_has_no_order_is_refused(changes: dict[str, Any], words: list[str]) -> None:
    """Cycles and unknown names are told with the file, the names and what to do."""
    with pytest.raises(DataError) as refused:
        made(**changes)
    told = str(refused.value)
    assert "m.yaml" in told
    assert [word for word in words if word not in told] == [], told
