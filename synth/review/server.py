"""The review page: a server for this machine alone.

It listens on the loopback address, every request must carry a random token and name this host, and the page loads
nothing from anywhere: its script and style stand in it under a nonce, and the content policy forbids everything else.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.errors import DataError, HarnessError, MissingInputError, UnavailableError, UsageError
from synth.review.item import Item, differences, pairs
from synth.review.verdicts import Verdict, VerdictLog

HOST = "127.0.0.1"
LARGEST = 2_000_000  # bytes of a request
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ReviewServer:
    """A running page; use it as a context manager, or close it.

    Attributes:
        items: The queue.
        log: Where verdicts go.
        reviewer: Who reviews.
        token: What every request must carry.
    """

    def __init__(self, items: Sequence[Item], log: VerdictLog, reviewer: str, port: int) -> None:
        self.items = {item.id: item for item in items}
        self.log = log
        self.reviewer = reviewer
        self.token = secrets.token_urlsafe(24)
        server = self

        class Bound(_Handler):
            review = server

        try:
            self._http = ThreadingHTTPServer((HOST, port), Bound)
        except OSError as error:
            raise UnavailableError(
                f"Port {port}", f"cannot be listened on ({error.strerror})", "name another one, or 0 for a free one"
            ) from error
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Address of the page, with the token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    def wait(self) -> None:
        """Serve until the page is closed by ``close`` or the process is interrupted."""
        self._thread.join()

    def close(self) -> None:
        """Stop serving."""
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> ReviewServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def shown(self) -> list[dict[str, Any]]:
        """The queue as the page reads it."""
        return [_shown(item) for item in self.items.values()]

    def state(self) -> dict[str, Any]:
        """The queue and the reviewer's verdicts on it."""
        return {"reviewer": self.reviewer, "items": self.shown, "verdicts": self.verdicts()}

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Item to the reviewer's last standing verdict, for items of the queue."""
        said = self.log.of(self.reviewer)
        return {item: _said(verdict) for item, verdict in said.items() if item in self.items}

    def judge(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write a verdict; all verdicts after it.

        Raises:
            HarnessError: The verdict cannot be written as it is.
        """
        item = self.items.get(str(content.get("item")))
        if item is None:
            raise MissingInputError("The item", "is not in this queue", "load the page again")
        texts = {key: content.get(key) for key in ("verdict", "reason", "edited")}
        if not all(value is None or isinstance(value, str) for value in texts.values()):
            raise UsageError("The verdict", "has a field that is no text", "load the page again")
        word, reason = texts["verdict"] or "", texts["reason"] or ""
        self.log.record(item, word, self.reviewer, reason=reason, edited=texts["edited"])
        return {"verdicts": self.verdicts()}


def serve(
    items: Sequence[Item], log: VerdictLog, reviewer: str, port: int = 0, open_browser: bool = True
) -> ReviewServer:
    """Start the review page.

    Args:
        items: The queue.
        log: Where verdicts go.
        reviewer: Who reviews.
        port: Port on the loopback address; 0 for a free one.
        open_browser: Open the page in the browser of this machine.

    Returns:
        The running server; its ``url`` has the token in it.

    Raises:
        UsageError: The reviewer has no name.
        UnavailableError: The port is taken.
    """
    if not reviewer.strip():
        raise UsageError("The reviewer", "has no name", "name the reviewer")
    server = ReviewServer(items, log, reviewer.strip(), port)
    if open_browser:
        webbrowser.open(server.url)
    return server


def _shown(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind, "id": item.id, "title": item.title, "body": item.body, "strategy": item.strategy,
        "text": item.text, "versions": pairs(item.before, item.after),
    }  # fmt: skip


def _said(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the page reads it; an edit with what it changed."""
    said: dict[str, Any] = {"verdict": verdict.verdict, "reason": verdict.reason, "edited": verdict.edited}
    if verdict.edited is not None:
        said["versions"] = [differences(verdict.original or "", verdict.edited)]
    return said


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; every answer carries the same strict headers."""

    review: ReviewServer
    server_version = "review"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._allowed():
            return
        path = urlsplit(self.path).path
        if path == "/":
            self._page()
        elif path == "/state":
            self._attempt(lambda: self.review.state())
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "There is no such page."})

    def do_POST(self) -> None:
        if not self._allowed():
            return
        if urlsplit(self.path).path != "/verdicts":
            self._json(HTTPStatus.NOT_FOUND, {"error": "There is no such page."})
        else:
            self._attempt(lambda: self.review.judge(self._content()))

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: their paths hold the token."""

    def _allowed(self) -> bool:
        """Whether the request names this host, comes from this page and carries the token; else it is refused."""
        hosts = {f"{HOST}:{self.review.port}", f"localhost:{self.review.port}"}
        origin = self.headers.get("Origin")
        query = parse_qs(urlsplit(self.path).query)
        token = self.headers.get("X-Review-Token") or query.get("token", [""])[0]
        if self.headers.get("Host") not in hosts or (origin is not None and urlsplit(origin).netloc not in hosts):
            self._json(HTTPStatus.FORBIDDEN, {"error": "This page answers its own machine alone."})
        elif not hmac.compare_digest(token.encode(), self.review.token.encode()):
            self._json(
                HTTPStatus.FORBIDDEN, {"error": "The token is wrong: open the address that the command printed."}
            )
        else:
            return True
        return False

    def _content(self) -> dict[str, Any]:
        """The JSON object of the request.

        Raises:
            DataError: There is none.
        """
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            raise DataError("The request", f"has no length or more than {LARGEST} bytes", "load the page again")
        try:
            content = json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise DataError("The request", f"is no JSON ({error})", "load the page again") from error
        if not isinstance(content, dict):
            raise DataError("The request", "is no JSON object", "load the page again")
        return content

    def _attempt(self, action: Any) -> None:
        try:
            content = action()
        except HarnessError as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        else:
            self._json(HTTPStatus.OK, content)

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        folder = files("synth") / "review" / "page"
        page = folder.joinpath("page.html").read_text(encoding="utf-8").replace("NONCE", nonce)
        for name in ("page.css", "page.js"):
            page = page.replace(f"/* {name} */", folder.joinpath(name).read_text(encoding="utf-8"))
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page.encode(), {"Content-Security-Policy": policy})

    def _json(self, status: HTTPStatus, content: Any) -> None:
        body = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
        policy = {"Content-Security-Policy": "default-src 'none'"}
        self._send(status, "application/json; charset=utf-8", body, policy)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
