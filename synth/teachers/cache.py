"""Every response of a model, kept by the hash of what shaped it, so that nothing is asked or paid for twice.

One SQLite file in write-ahead mode: a killed process loses at most what was in flight, and several processes may use
it at once; of two responses to one key the first stays. Failures are kept beside, as a log: they are never answers.
"""

from __future__ import annotations

import json
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import DataError, StoreError
from synth.prompts import Prompt
from synth.teachers.dialogue import Call, Dialogue
from synth.teachers.nouns import Usage
from synth.teachers.replies import MalformedReplyError, Reply, reply_of
from synth.teachers.tally import Tally, cost

_VERSION = 1
_APPLICATION = 0x68756D31  # marks the file as ours
_TABLES = """
CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, purpose TEXT, version INTEGER, model TEXT, request TEXT, response TEXT,
    prompt_tokens INTEGER, completion_tokens INTEGER, seconds REAL, time REAL
);
CREATE TABLE IF NOT EXISTS failures (key TEXT, reason TEXT, response TEXT, time REAL);
CREATE TABLE IF NOT EXISTS prompts (purpose TEXT, version INTEGER, digest TEXT, PRIMARY KEY (purpose, version));
CREATE TABLE IF NOT EXISTS batched (key TEXT PRIMARY KEY, file TEXT, response TEXT, failure TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch_files (digest TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_KEEP = "INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TOTAL = """SELECT COUNT(*), SUM(prompt_tokens), SUM(completion_tokens),
    SUM(prompt_tokens IS NULL OR completion_tokens IS NULL) FROM responses"""


class Cache:
    """Responses by key, in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            DataError: The file is corrupt or no cache of this version.
            StoreError: It cannot be written.
        """
        self.path = path
        self._prompts: set[str] = set()
        with self._guarded():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._database.close)
            self._open()

    def get(self, key: str) -> Reply | None:
        """The reply that is kept under a key; None where there is none."""
        with self._guarded():
            row = self._database.execute("SELECT response FROM responses WHERE key = ?", (key,)).fetchone()
        try:
            return None if row is None else reply_of(row[0])
        except MalformedReplyError as error:
            raise self._corrupt(f"response {key}: {error}") from error

    def advance(self, dialogue: Dialogue, tally: Tally) -> None:
        """Go on with a dialogue as far as kept replies lead.

        Raises:
            DataError: The file is corrupt, or knows the prompt's version with another text.
        """
        while dialogue.answer is None:
            self._know(dialogue.call.prompt)
            reply = self.get(dialogue.call.key)
            if reply is None:
                return
            tally.count(cached=1)
            dialogue.hear(reply)

    def put(self, call: Call, raw: str, seconds: float | None = None) -> Reply:
        """Keep the raw body of a completion; the reply that counts, which is another's where it was there before.

        Args:
            call: What was sent.
            raw: The body as it came.
            seconds: How long it took; None where nobody measured.

        Raises:
            MalformedReplyError: The body is no completion.
        """
        reply = reply_of(raw)
        tokens = (reply.prompt_tokens, reply.completion_tokens)
        facts = (call.key, call.prompt.id, call.prompt.version, call.body["model"], json.dumps(call.body), raw)
        with self._guarded():
            written = self._database.execute(_KEEP, (*facts, *tokens, seconds, time.time())).rowcount
        return reply if written else self.get(call.key) or reply

    def fail(self, key: str, reason: str, raw: str) -> None:
        """Log that a call failed, with the body that came."""
        with self._guarded():
            self._database.execute("INSERT INTO failures VALUES (?, ?, ?, ?)", (key, reason, raw, time.time()))

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of one statement, for the tables that only one kind of teacher needs."""
        with self._guarded():
            return self._database.execute(statement, values).fetchall()

    def usage(self, price: tuple[float, float] | None = None) -> Usage:
        """What all responses of this file took, whichever process asked."""
        sent, asked, said, uncounted = (number or 0 for number in self.rows(_TOTAL)[0])
        price_of_all = cost({"prompt_tokens": asked, "completion_tokens": said}, price)
        return Usage(sent, prompt_tokens=asked, completion_tokens=said, uncounted=uncounted, cost=price_of_all)

    def _open(self) -> None:
        (tables,) = self._database.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()  # first: see below
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if tables and (application, version) != (_APPLICATION, _VERSION):
            self._database.close()
            raise DataError(f"Cache {self.path}", "is no request cache of this version", "name another file")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(  # one transaction: who sees the tables sees the marks, in another process too
            f"BEGIN IMMEDIATE; {_TABLES}"
            f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION}; COMMIT"
        )

    def _know(self, prompt: Prompt) -> None:
        """Note the text of a prompt's version.

        Raises:
            DataError: The cache knows this version with another text: answers to two texts would be taken for one.
        """
        if prompt.digest in self._prompts:
            return
        known = "SELECT digest FROM prompts WHERE purpose = ? AND version = ?"
        with self._guarded():
            row = (prompt.id, prompt.version)
            self._database.execute("INSERT OR IGNORE INTO prompts VALUES (?, ?, ?)", (*row, prompt.digest))
            (found,) = self._database.execute(known, row).fetchone()
        if found != prompt.digest:
            raise DataError(
                f"Prompt {prompt.id}, version {prompt.version}",
                f"has another text than when {self.path} was begun", "raise its version, or restore the text",
            )  # fmt: skip
        self._prompts.add(prompt.digest)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what SQLite and the disk say into sentences."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise StoreError(
                f"Cache {self.path}", f"cannot be read or written ({error})", "free space or name another folder"
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._corrupt(str(error)) from error

    def _corrupt(self, reason: str) -> DataError:
        step = "restore a copy, or move it away: then every request is asked again"
        return DataError(f"Cache {self.path}", f"is corrupt ({reason})", step)
