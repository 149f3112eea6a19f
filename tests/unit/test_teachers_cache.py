"""The request cache: keys, corrupt files, changed prompts."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import teaching

from harness.errors import DataError, StoreError
from synth.teachers import Request, spent
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Call, Dialogue
from synth.teachers.replies import MalformedReplyError, completion
from synth.teachers.tally import Tally


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.teach(monkeypatch)


def call(request: Request | None = None, model: str = "m", **changes: Any) -> Call:
    """The first call of a request."""
    settings = teaching.settings("http://localhost/v1", **changes)
    return Dialogue(request or teaching.requests()[0], settings, model).call


def body(text: str = teaching.PERU) -> str:
    """A raw completion."""
    return completion(text, "stop", 10, 2)


def test_everything_that_shapes_an_answer_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, question, sample, parameters, schema use and prompt text each give another key."""
    question = Request("capital", {"country": "Peru"})
    calls = [
        call(question), call(question, model="n"), call(Request("capital", {"country": "Chile"})),
        call(Request("capital", {"country": "Peru"}, sample=1)), call(question, temperature=0.0),
        call(question, max_tokens=5), call(question, seed=1), call(question, structured=False),
    ]  # fmt: skip
    for change in ({"version": 2}, {"system": "You guess."}, {"answer": "synth.recipe:Source"}):
        teaching.change(monkeypatch, **change)
        calls.append(call(question))
    assert len({one.key for one in calls}) == len(calls)


def test_what_does_not_shape_an_answer_is_not_in_the_key() -> None:
    """URL, price, limits and the name of the key's variable may change between runs."""
    changes = {"price": (1, 2), "concurrency": 2, "timeout_s": 1, "retries": 0, "key_variable": "X", "reasks": 5}
    settings = teaching.settings("http://elsewhere/v1", **changes)
    assert Dialogue(teaching.requests()[0], settings, "m").call.key == call().key


def test_the_first_response_stays(tmp_path: Path) -> None:
    """Who comes second with a response to the same key gets the first."""
    cache = Cache(tmp_path / "c.sqlite")
    assert cache.get(call().key) is None
    assert cache.put(call(), body("one")).text == "one"
    assert cache.put(call(), body("two")).text == "one"
    assert Cache(tmp_path / "c.sqlite").get(call().key) == cache.get(call().key)


def test_what_is_no_completion_is_not_kept(tmp_path: Path) -> None:
    """A response must be readable to become an answer."""
    cache = Cache(tmp_path / "c.sqlite")
    with pytest.raises(MalformedReplyError):
        cache.put(call(), "{}")
    assert cache.get(call().key) is None


def test_request_and_response_can_be_read_with_any_sqlite(tmp_path: Path) -> None:
    """The raw response and the request stand in the table as text."""
    Cache(tmp_path / "c.sqlite").put(call(), body())
    database = sqlite3.connect(tmp_path / "c.sqlite")
    request, response = database.execute("SELECT request, response FROM responses").fetchone()
    database.close()
    assert "land 0?" in request
    assert response == body()


def test_all_that_was_spent_is_summed(tmp_path: Path) -> None:
    """Tokens and cost of a file, whoever asked; nothing where there is no file."""
    assert spent(tmp_path / "c.sqlite").sent == 0
    assert not (tmp_path / "c.sqlite").exists()
    cache = Cache(tmp_path / "c.sqlite")
    for number, request in enumerate(teaching.requests(3)):
        cache.put(call(request), body(str(number)))
    used = spent(tmp_path / "c.sqlite", price=(1.0, 100.0))
    assert (used.sent, used.prompt_tokens, used.completion_tokens) == (3, 30, 6)
    assert used.cost == pytest.approx(30e-6 + 600e-6)


@pytest.mark.parametrize(
    "content", [b"this is no database at all, but long enough " * 50, b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_corrupt_file_is_said(tmp_path: Path, content: bytes) -> None:
    """The message names the file and what to do, and the file is left as it is."""
    (tmp_path / "c.sqlite").write_bytes(content)
    with pytest.raises(DataError, match=r"c\.sqlite: is corrupt .*move it away"):
        Cache(tmp_path / "c.sqlite")
    assert (tmp_path / "c.sqlite").read_bytes() == content


def test_a_file_that_was_damaged_inside_is_said(tmp_path: Path) -> None:
    """A page of nonsense is found when it is read."""
    cache = Cache(tmp_path / "c.sqlite")
    for request in teaching.requests(300):
        cache.put(call(request), body())
    cache.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    del cache
    raw = bytearray((tmp_path / "c.sqlite").read_bytes())
    raw[8192:-4096] = b"\x5a" * (len(raw) - 8192 - 4096)
    (tmp_path / "c.sqlite").write_bytes(raw)
    with pytest.raises(DataError, match="is corrupt"):
        [Cache(tmp_path / "c.sqlite").get(call(request).key) for request in teaching.requests(300)]


def test_an_edited_response_is_said(tmp_path: Path) -> None:
    """A response that can no longer be read is an error, not another question."""
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(call(), body())
    cache.rows("UPDATE responses SET response = 'x'")
    with pytest.raises(DataError, match=r"is corrupt \(response .*no JSON"):
        cache.get(call().key)


def test_another_database_is_refused(tmp_path: Path) -> None:
    """A SQLite file of somebody else is left alone."""
    database = sqlite3.connect(tmp_path / "c.sqlite")
    database.execute("CREATE TABLE mine (x)")
    database.close()
    with pytest.raises(DataError, match="is no request cache of this version"):
        Cache(tmp_path / "c.sqlite")


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder that is a file is no place for a cache."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be read or written"):
        Cache(tmp_path / "file" / "c.sqlite")


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """What no longer fits is an error with exit code 73; what is there stays."""
    cache = Cache(tmp_path / "c.sqlite")
    cache.put(call(), body())
    cache.rows("PRAGMA max_page_count = 1")  # SQLite takes the present size as the least
    with pytest.raises(StoreError, match="full"):
        cache.put(call(teaching.requests(2)[1]), body("long " * 50_000))
    assert Cache(tmp_path / "c.sqlite").get(call().key) is not None


def test_a_changed_prompt_needs_a_new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On resume with an edited prompt file the job stops, until the version is raised."""

    def advance() -> None:
        settings = teaching.settings("http://localhost/v1")
        Cache(tmp_path / "c.sqlite").advance(Dialogue(teaching.requests()[0], settings, "m"), Tally(None))

    advance()
    teaching.change(monkeypatch, system="You guess.")
    with pytest.raises(DataError, match=r"capital, version 1: has another text than .*raise its version"):
        advance()
    teaching.change(monkeypatch, version=2)
    advance()
