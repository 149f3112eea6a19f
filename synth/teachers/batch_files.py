"""Files in the Batch API's shape: requests written, responses read into the cache's table of batched calls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from harness.errors import DataError, StoreError
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Call
from synth.teachers.forms import response_format
from synth.teachers.replies import MalformedReplyError, reply_of

MOST_REQUESTS, MOST_BYTES = 50_000, 100_000_000
"""Limits of one file: the count that OpenAI states, and the smaller of the sizes (100 and 200 MB) that services do."""

_LINE = {"method": "POST", "url": "/v1/chat/completions"}


def line_of(call: Call, structured: bool) -> str:
    """One call as a line of a request file; its ``custom_id`` is the call's key."""
    body = {"max_completion_tokens" if name == "max_tokens" else name: value for name, value in call.body.items()}
    if structured and call.prompt.model is not None:
        body["response_format"] = response_format(call.prompt)
    return json.dumps({"custom_id": call.key, **_LINE, "body": body}, ensure_ascii=False) + "\n"


class RequestFiles:
    """Request files of a folder; each appears under its name when it is complete.

    Attributes:
        written: Requests that were written.
        names: Names of files that are there, or are being written now.
    """

    def __init__(self, folder: Path) -> None:
        """Look at what is there."""
        self.folder, self.written = folder, 0
        self.names = {path.name for path in folder.glob("requests-*.jsonl")}
        self._file: IO[str] | None = None
        self._count = self._bytes = 0
        self._partial = folder / "requests.partial"

    def add(self, line: str) -> str:
        """Write one line; the name of the file that it is in.

        Raises:
            StoreError: The folder cannot be written.
        """
        size = len(line.encode())
        try:
            if self._file is None or self._count >= MOST_REQUESTS or self._bytes + size > MOST_BYTES:
                self.close()
                self._open()
            assert self._file is not None
            self._file.write(line)
        except OSError as error:
            raise self._error(error) from error
        self._count, self._bytes, self.written = self._count + 1, self._bytes + size, self.written + 1
        return self._name

    def close(self) -> None:
        """Complete the file that is being written.

        Raises:
            StoreError: The folder cannot be written.
        """
        if self._file is None:
            return
        try:
            self._file.close()
            self._partial.replace(self.folder / self._name)
        except OSError as error:
            raise self._error(error) from error
        self._file = None

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(name.removeprefix("requests-").removesuffix(".jsonl")) for name in self.names]
        self._name = f"requests-{max(numbers, default=-1) + 1:05}.jsonl"
        self.names.add(self._name)
        self._file = self._partial.open("w", encoding="utf-8")
        self._count = self._bytes = 0

    def _error(self, error: OSError) -> StoreError:
        return StoreError(
            f"Request file in {self.folder}",
            f"cannot be written ({error.strerror})",
            "free space or name another folder",
        )


def read_responses(folder: Path, cache: Cache) -> None:
    """Take output and error files of a folder into the cache, each once.

    Raises:
        DataError: A line is no response, or answers a request that was never written; the message says where.
    """
    for path in sorted(folder.glob("*.jsonl")):
        raw = path.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        if cache.rows("SELECT 1 FROM batch_files WHERE digest = ?", digest):
            continue
        for number, line in enumerate(raw.splitlines(), 1):
            if line.strip():
                _take(line, f"Response file {path}, line {number}", cache)
        cache.rows("INSERT INTO batch_files VALUES (?)", digest)


def _take(line: bytes, place: str, cache: Cache) -> None:
    try:
        row = json.loads(line)
        key, response = row["custom_id"], row.get("response") or {}
        status, body, error = response.get("status_code"), response.get("body"), row.get("error")
    except (ValueError, KeyError, AttributeError, TypeError) as problem:
        raise DataError(
            place, f"is no response of the Batch API ({problem!r})", "put the file there as it came"
        ) from problem
    if not cache.rows("SELECT 1 FROM batched WHERE key = ?", key):
        raise DataError(
            place, f"answers a request that is none of this job's ({key})", "take the file out of the folder"
        )
    text = json.dumps(body, ensure_ascii=False)
    if status == 200 and _complete(text):
        cache.rows("UPDATE batched SET response = ?, failure = NULL WHERE key = ?", text, key)
        return
    said = error if error else body
    reason = f"status {status}, {_message(said)}" if status else _message(said)
    cache.fail(key, reason, text)
    refused = status is not None and 400 <= status < 500 and status not in (408, 409, 429)
    kept, file = (reason, "file") if refused else (None, "NULL")
    cache.rows(f"UPDATE batched SET failure = ?, file = {file} WHERE key = ?", kept, key)


def _complete(text: str) -> bool:
    try:
        reply_of(text)
    except MalformedReplyError:
        return False
    return True


def _message(said: Any) -> str:
    inner = said.get("error", said) if isinstance(said, Mapping) else said
    message = inner.get("message") or inner.get("code") if isinstance(inner, Mapping) else inner
    return " ".join(str(message or "no reason given").split())[:300]
