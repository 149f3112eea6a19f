"""A chat-completions server that goes wrong on demand, for tests and benchmarks; plain asyncio, no framework.

In a test it runs in a thread (``with FaultyServer(plan) as server``); as a program it runs alone, with random latency::

    python tests/faulty_server.py --latency 0.05 0.4

and says its URL on the first line of stdout. GET /stats tells what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

GOOD = json.dumps({"country": "Peru", "capital": "Lima"})


@dataclass(frozen=True, slots=True)
class Act:
    """What the server does with one request.

    Attributes:
        text: What the model says in a well-formed completion.
        status: HTTP status.
        body: Body instead of a completion.
        headers: More headers.
        delay_s: Seconds before the answer.
        drip_s: Seconds between the bytes of the answer.
        cut: Close the connection ``before`` the answer or in its ``middle``.
        finish: Why the model stopped.
        refusal: Refusal instead of a text.
    """

    text: str = GOOD
    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    cut: str = ""
    finish: str = "stop"
    refusal: str | None = None

    def payload(self) -> bytes:
        """The body as bytes."""
        if self.body is not None:
            return self.body.encode()
        message = {"role": "assistant", "content": None if self.refusal else self.text, "refusal": self.refusal}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


Plan = Callable[[int, dict[str, Any]], Act]
"""From the number of a request (0, 1, ...) and its body to what happens."""


class FaultyServer:
    """The server, on a loopback port of its own.

    Attributes:
        bodies: Request bodies in the order in which they came.
        headers: Their headers, names in lower case.
        times: When they came, monotonic seconds.
        most: Most requests that were under way at once.
    """

    def __init__(self, plan: Plan = lambda number, body: Act(), port: int = 0) -> None:
        self._plan, self._port = plan, port
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.most = self._active = 0
        self._area = 0.0  # integral of the requests under way over time
        self._since = self._ramp_down = 0.0
        self._steady = (0.0, 0.0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """Base URL for a client."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                if first.startswith("GET /stats"):
                    await _send(writer, Act(body=json.dumps(self.stats())))
                elif not await self._answer(writer, headers, json.loads(raw)):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, headers: dict[str, str], body: dict[str, Any]) -> bool:
        """Answer one request; whether the connection lives on."""
        number = len(self.bodies)
        self.bodies.append(body)
        self.headers.append(headers)
        self.times.append(time.monotonic())
        self._change(1)
        try:
            act = self._plan(number, body)
            await asyncio.sleep(act.delay_s)
            return await _send(writer, act)
        finally:
            self._change(-1)

    def _change(self, step: int) -> None:
        now = time.monotonic()
        if self._since:
            self._area += self._active * (now - self._since)
        self._since = now
        self._active += step
        self.most = max(self.most, self._active)
        if self._active == self.most or step > 0:  # the last arrival ends the steady part: then it only runs dry
            self._steady = (self._area, now - self.times[0])

    def stats(self) -> dict[str, float]:
        """Requests seen, most at once, and their time average until the last one came."""
        area, seconds = self._steady
        return {
            "requests": len(self.bodies), "most": self.most, "seconds": seconds,
            "average": area / seconds if seconds else 0.0,
        }  # fmt: skip


async def _send(writer: asyncio.StreamWriter, act: Act) -> bool:
    if act.cut == "before":
        return False
    payload = act.payload()
    headers = {"content-type": "application/json", "content-length": str(len(payload))} | act.headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {act.status} Whatever\r\n{lines}\r\n".encode()
    for byte in payload if act.drip_s else b"":
        writer.write(head + bytes([byte]))
        await asyncio.sleep(act.drip_s)
        head, payload = b"", payload[1:]
    writer.write(head + (payload[: len(payload) // 2] if act.cut else payload))
    await writer.drain()
    return not act.cut


def main() -> None:
    """Serve with random latency until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, nargs=2, default=(0.0, 0.0), help="seconds, least and most")
    parser.add_argument("--text", default=GOOD, help="what the model always says")
    options = parser.parse_args()
    draw = random.Random(0)
    plan: Plan = lambda number, body: Act(options.text, delay_s=draw.uniform(*options.latency))  # noqa: E731
    with FaultyServer(plan, options.port) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
