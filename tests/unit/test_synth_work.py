"""The working folder: one process at a time, append-only lines that survive a kill, digests of any file."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, InterruptedRunError, MissingInputError, StoreError
from synth import pipeline
from synth.recipe import recipe_of
from synth.shards import mark_done, write_shard, write_text
from synth.work import Work, append_lines, at_work, digest_of_files, open_work, read_lines


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A folder that was begun and nothing else."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("sources: [{dataset: seeds, limit: 10}]", encoding="utf-8")
    return open_work(tmp_path / "out", recipe, workers=1)


def test_a_folder_has_one_process_at_a_time(work: Work) -> None:
    """A second one is refused while the first is at work, and let in after it; the recipe is noted."""
    with at_work(work):
        with pytest.raises(StoreError, match="another process"), at_work(work):
            pass
        assert recipe_of(json.loads((work.folder / "recipe.json").read_text(encoding="utf-8"))) == work.recipe
    with at_work(work):
        pass


def test_opening_a_folder_writes_nothing(work: Work) -> None:
    """Who only looks, as a reviewer does, leaves the recipe of a running step alone."""
    assert not work.folder.exists()


def test_an_interruption_says_how_to_go_on(work: Work) -> None:
    """Ctrl-C ends with what is kept and what to do next."""
    with pytest.raises(InterruptedRunError, match="same command"), at_work(work):
        raise KeyboardInterrupt


def test_rendering_waits_for_the_whole_draft(work: Work) -> None:
    """Instructions whose guidelines and rules a kill cut short are not rendered as if there were none."""
    with at_work(work):
        pipeline.draft(work)
        (work.part("drafts") / "_done.json").unlink()
        with pytest.raises(MissingInputError, match="run harness synth draft first"):
            pipeline.render(work)


@pytest.mark.parametrize("torn", [b'{"id": "b", "te', b'{"id": "\xc3'])
def test_a_line_that_a_kill_cut_off_is_taken_away(tmp_path: Path, torn: bytes) -> None:
    """The lines before it and after it stay whole."""
    path = tmp_path / "lines.jsonl"
    append_lines(path, [{"id": "a"}])
    path.write_bytes(path.read_bytes() + torn)
    append_lines(path, [{"id": "c"}])
    assert list(read_lines(path)) == [{"id": "a"}, {"id": "c"}]


def test_a_last_line_without_a_line_feed_is_kept(tmp_path: Path) -> None:
    """A file that a person's editor left without one loses nothing."""
    path = tmp_path / "lines.jsonl"
    path.write_text('{"id": "a"}\n{"id": "b"}', encoding="utf-8")
    assert len(list(read_lines(path))) == 2
    append_lines(path, [{"id": "c"}])
    assert [row["id"] for row in read_lines(path)] == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x0cb", "\ud800"])
def test_odd_characters_do_not_break_lines(tmp_path: Path, text: str) -> None:
    """Only a line feed ends a line, and a lone surrogate comes back as it was."""
    path = tmp_path / "lines.jsonl"
    append_lines(path, [{"id": "a", "text": text}])
    assert list(read_lines(path)) == [{"id": "a", "text": text}]


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    """File and line number, for a line that a person broke."""
    path = tmp_path / "lines.jsonl"
    path.write_text('{"id": "a"}\nno json\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2"):
        list(read_lines(path))


def test_a_digest_takes_any_bytes(tmp_path: Path) -> None:
    """A file of the user's need not be UTF-8 to be told apart; a missing one counts as empty."""
    path = tmp_path / "user.jsonl"
    before = digest_of_files([path])
    path.write_bytes(b"\xff\xfe")
    assert digest_of_files([path]) != before


def test_a_full_disk_is_an_error_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of file that a step writes says so, with the next step."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr(Path, "write_text", full)
    for write in (
        lambda: write_text(tmp_path / "a", "a"),
        lambda: mark_done(tmp_path, "a"),
        lambda: write_shard(tmp_path, 0, []),
        lambda: append_lines(tmp_path / "b", [{"id": "a"}]),
    ):
        with pytest.raises(StoreError, match=r"No space left on device.*free space"):
            write()
