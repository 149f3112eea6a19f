"""A matrix is read strictly, its recipes are laid over each other, and its references are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matrices import content, write

from harness.errors import DataError, MissingInputError, UsageError
from harness.experiment.matrix import Arm, Compare, Data, Matrix, matrix_path, read_matrix
from harness.experiment.recipes import File, filled, load_recipe, over, references

REPO = Path(__file__).resolve().parents[2]


def refusal(folder: Path, text: str) -> str:
    """The sentence that a file with this text is refused with."""
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_matrix(path)
    return str(refused.value)


def test_defaults_are_few(tmp_path: Path) -> None:
    """Three seeds, the embedded base, every item; a plain list of suites is one run, a list of lists several."""
    matrix = read_matrix(write(tmp_path))
    assert (matrix.seeds, dict(matrix.bases), matrix.limit) == ((0, 1, 2), {"nano": "embedded"}, None)
    assert matrix.suites == (("quick-general",),)
    assert Matrix(**content(suites=["a", "b"])).suites == (("a", "b"),)
    assert Matrix(**content(suites=[["a"], ["b", "c"]])).suites == (("a",), ("b", "c"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("matrix: m\narms: {a: {}}\nsuites: [s]\nsedes: [1]", ["line 4, field sedes", "did you mean seeds?"]),
        ("matrix: m\narms:\n  a: {recipie: {}}\nsuites: [s]", ["line 3, field arms.a.recipie", "recipe?"]),
        (
            "matrix: m\narms: {a: {}, b: {}}\nsuites: [s]\ncompare:\n- {candidate: a, baseline: b, polices: {}}",
            ["line 5, field compare.0.polices", "did you mean policies?"],
        ),
        ("matrix: m\narms:\n  a: {}\n  a: {}\nsuites: [s]", ["line 4, field arms.a", "given twice, first on line 3"]),
        ("matrix: m\nsuites: [s]", ["field arms", "is missing"]),
        ("matrix: m\narms: {}\nsuites: [s]", ["field arms", "at least 1 item"]),
        ("matrix: m\narms: {a: {}}\nsuites: []", ["field suites", "at least 1 item"]),
        ("matrix: m\narms: {a: {}}\nsuites: [s]\nseeds: [1, 1]", ["line 4, field seeds", "a seed is given twice"]),
        ("matrix: m\narms: {a: {}}\nsuites: [s]\nseeds: [-1]", ["line 4, field seeds", "greater than or equal to 0"]),
        ("matrix: m\narms: {a: {}}\nsuites: [s]\nlimit: 0", ["line 4, field limit", "greater than 0"]),
        ("matrix: m\narms: {a/b: {}}\nsuites: [s]", ["field arms", "pattern"]),
        ("matrix: m\narms: [a]\nsuites: [s]", ["line 2, field arms", "dictionary"]),
        ("[1, 2]", ["does not hold a mapping"]),
        ("matrix: [", ["cannot be read"]),
        ("", ["does not hold a mapping"]),
    ],
    ids=lambda value: value[:40].replace("\n", " ") if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named_with_file_line_and_field(tmp_path: Path, text: str, words: list[str]) -> None:
    """Each mistake is one sentence that says where it is and what to do."""
    told = refusal(tmp_path, text)
    assert str(tmp_path / "m.yaml") in told
    assert [word for word in words if word not in told] == [], told


def test_a_matrix_that_holds_itself_is_refused(tmp_path: Path) -> None:
    """An alias to what it stands in ends in an error, not in a recursion without end."""
    assert "m.yaml" in refusal(tmp_path, "matrix: m\narms: &a\n  one: {recipe: *a}\nsuites: [s]")


def test_a_matrix_is_a_file_or_one_of_ours(tmp_path: Path) -> None:
    """A path that is not there, and a name that is not known, are told with what there is."""
    assert matrix_path("headline").name == "headline.yaml"
    with pytest.raises(UsageError, match="did you mean headline"):
        matrix_path("headlin")
    with pytest.raises(MissingInputError, match="is not there"):
        matrix_path(str(tmp_path / "none.yaml"))


def test_a_recipe_may_lie_in_a_file(tmp_path: Path) -> None:
    """Its relative paths start beside it, as with harness produce; texts that are no paths stay."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "rows.jsonl").write_text("{}", encoding="utf-8")
    (tmp_path / "below" / "r.yaml").write_text("data: rows.jsonl\nnote: no.such\nname: below\n", encoding="utf-8")
    recipe = load_recipe(Path("below/r.yaml"), tmp_path, "here")
    found = File((tmp_path / "below" / "rows.jsonl").resolve())
    assert recipe == {"data": found, "note": "no.such", "name": "below"}
    with pytest.raises(MissingInputError, match=r"none\.yaml: is not there"):
        load_recipe(Path("none.yaml"), tmp_path, "here")


@pytest.mark.parametrize("text", ["seed", "data.hum", "data.hum.no_rules", "arm.with"])
def test_a_reference_without_quotes_is_told(tmp_path: Path, text: str) -> None:
    """YAML reads ``{seed}`` as a mapping; the sentence says what to write."""
    with pytest.raises(DataError, match="without quotes") as refused:
        load_recipe({"a": [{"b": {text: None}}]}, tmp_path, "here")
    assert f'write "{{{text}}}"' in str(refused.value)


def test_changes_lie_over_a_recipe() -> None:
    """Mappings are merged at every depth, everything else is replaced, and neither side is changed."""
    below = {"a": 1, "b": {"c": 2, "d": [1]}, "e": {"f": 1}}
    assert over(below, {"b": {"d": [2], "x": 3}, "e": 5}) == {"a": 1, "b": {"c": 2, "d": [2], "x": 3}, "e": 5}
    assert below == {"a": 1, "b": {"c": 2, "d": [1]}, "e": {"f": 1}}


def test_references_are_filled_in() -> None:
    """A text that is only a reference becomes the value in its own type; within a text it becomes text."""
    recipe = {"seed": "{seed}", "name": "run-{seed}", "data": ["{data.hum.no_rules}"], "n": 3, "other": "{out}"}
    values: dict[str, Any] = {"seed": 7, "data.hum.no_rules": "/there"}
    assert set(references(recipe)) == set(values)
    assert filled(recipe, values.__getitem__, str) == {
        "seed": 7,
        "name": "run-7",
        "data": ["/there"],
        "n": 3,
        "other": "{out}",
    }


@pytest.mark.parametrize("path", sorted(Path("benchmarks/demonstration").glob("demonstration-*.yaml")), ids=str)
def test_the_matrices_of_the_demonstration_are_valid(path: Path) -> None:
    """What docs/demonstration.md reports can be asked for again: each matrix is read as it stands."""
    assert read_matrix(path).matrix == path.stem


@pytest.mark.parametrize("kind", [Matrix, Arm, Data, Compare], ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind: Any) -> None:
    """docs/experiments.md has a row for each field of a matrix."""
    page = (REPO / "docs" / "experiments.md").read_text(encoding="utf-8")
    assert [field for field in kind.model_fields if f"| `{field}` |" not in page] == []
