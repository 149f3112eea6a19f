"""The line to a server: so many calls at once, so many a minute, and tries until an answer or the end of patience."""

from __future__ import annotations

import asyncio
import os
import random
import time
from contextlib import suppress
from functools import partial
from typing import Any

from harness.errors import UnavailableError
from synth.recipe import TeacherSettings
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Call
from synth.teachers.faults import Fault, Patience, Remedy, fault_of
from synth.teachers.forms import Forms
from synth.teachers.replies import MalformedReplyError, Reply, reply_of
from synth.teachers.tally import Tally

_STRIKES, _REFUSALS = 3, 20
_REFUSAL_S = 0.25  # a server that refuses a schema does so at once; one that is silent for so long is writing


class Line:
    """One server, as one job talks to it, in one event loop.

    Attributes:
        dead: The error that ended the line; None while it lives.
    """

    def __init__(self, settings: TeacherSettings, cache: Cache, tally: Tally, forms: Forms, patience: Patience) -> None:
        """Set up; nothing is sent yet. The key is read from the environment and kept nowhere else."""
        from openai import AsyncOpenAI

        self.dead: BaseException | None = None
        self._settings, self._cache, self._tally = settings, cache, tally
        self._forms, self._patience = forms, patience
        self._key = os.environ.get(settings.key_variable, "")
        self._client = AsyncOpenAI(api_key=self._key or "none", base_url=settings.url, timeout=None, max_retries=0)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._probes: dict[str, asyncio.Event] = {}
        self._flights: dict[str, asyncio.Task[Reply]] = {}
        self._next_at = self._pause_until = self._answered_at = 0.0
        self._strikes = self._refused = 0

    async def reply(self, call: Call) -> Reply:
        """The reply to a call; two equal calls are sent once.

        Raises:
            UnavailableError: The server is dead or will take no call at all.
        """
        if self.dead is not None:
            raise self.dead
        flight = self._flights.get(call.key)
        if flight is None:
            flight = self._flights[call.key] = asyncio.create_task(self._reply(call))
            flight.add_done_callback(partial(self._landed, call.key))
        return await flight

    def _landed(self, key: str, flight: asyncio.Task[Reply]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # looked at, even where nobody waits for it any more

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _reply(self, call: Call) -> Reply:
        try:
            kept = self._cache.get(call.key)
            if kept is not None:
                self._tally.count(cached=1)
                return kept
            return await self._probed(call)
        except Exception as error:
            self.dead = self.dead or error
            for flight in self._flights.values():
                flight.cancel()
            raise

    async def _probed(self, call: Call) -> Reply:
        """The reply to a call; the first of a type of answer goes alone, as its schema may be refused."""
        if not self._forms.undecided(call.prompt):
            return await self._tries(call)
        probe = self._probes.get(call.prompt.answer)
        if probe is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(probe.wait(), _REFUSAL_S)
            return await self._tries(call)
        probe = self._probes[call.prompt.answer] = asyncio.Event()
        try:
            return await self._tries(call)
        finally:
            probe.set()

    async def _tries(self, call: Call) -> Reply:
        since = failed = 0.0
        tries = 0
        while True:
            try:
                async with self._slots:
                    await self._turn()
                    since = failed or time.monotonic()
                    return await self._try(call)
            except Fault as fault:
                failed = time.monotonic()
                others = self._answered_at > since
                # Where too many calls get others answered, this one will have its turn: it does not run out of tries.
                tries = 1 if others and fault.remedy is Remedy.PAUSE else tries + 1
                if fault.remedy in (Remedy.SKIP, Remedy.STOP):
                    return self._refused_by(fault)
                if tries > self._settings.retries:
                    return self._gave_up(fault, others)
                wait_s = self._wait_s(fault, tries)
            self._tally.count(retries=1)
            await asyncio.sleep(wait_s)

    async def _try(self, call: Call) -> Reply:
        sent = time.monotonic()
        raw = await self._forms.exchange(call, partial(self._post, call))
        self._answered_at = time.monotonic()
        self._strikes = 0
        self._tally.reply(reply_of(raw))
        return self._cache.put(call, raw, self._answered_at - sent)

    async def _post(self, call: Call, body: dict[str, Any]) -> str:
        """The raw body of a completion; a failure is logged and raised as Fault."""
        from openai import OpenAIError

        raw = ""
        try:
            # Not chat.completions.create: it checks the ready body against types, which takes longer than sending it.
            # The client's own time-out is one between bytes, so it is off.
            async with asyncio.timeout(self._settings.timeout_s):
                raw = self._clean(await self._client.post("/chat/completions", body=body, cast_to=str))
            reply_of(raw)
        except TimeoutError:
            fault = Fault(Remedy.WAIT, f"no answer within {self._settings.timeout_s:g} s")
        except OpenAIError as error:
            fault = fault_of(error, self._clean)
        except MalformedReplyError as error:
            fault = Fault(Remedy.RETRY, str(error), raw)
        else:
            return raw
        self._cache.fail(call.key, fault.reason, fault.raw)
        raise fault

    async def _turn(self) -> None:
        """Wait until the rate limit, and a server that asked for a pause, allow another call."""
        while (now := time.monotonic()) < self._pause_until:
            await asyncio.sleep(self._pause_until - now + random.uniform(0, self._patience.first_s))
        if self._settings.requests_per_minute:
            turn = max(now, self._next_at)
            self._next_at = turn + 60 / self._settings.requests_per_minute
            await asyncio.sleep(turn - now)

    def _wait_s(self, fault: Fault, tries: int) -> float:
        """Seconds before the next try."""
        told_s = fault.retry_after_s
        wait_s = self._patience.wait_s(tries) if told_s is None else told_s
        if wait_s > self._patience.told_s:
            raise self._error(f"asks to wait {wait_s:.0f} s ({fault.reason})", "do so") from fault
        if fault.remedy is Remedy.PAUSE:
            self._pause_until = max(self._pause_until, time.monotonic() + wait_s)
        return wait_s

    def _refused_by(self, fault: Fault) -> Reply:
        """A call that will never be taken; after many of these and no answer, in this job or before, none will."""
        self._refused += 1
        none_taken = self._refused >= _REFUSALS and not self._cache.rows("SELECT 1 FROM responses LIMIT 1")
        if fault.remedy is Remedy.STOP or none_taken:
            raise self._error(f"refuses every request ({fault.reason})", self._what_to_check()) from fault
        return Reply(failure=fault.reason)

    def _gave_up(self, fault: Fault, others: bool) -> Reply:
        """The end of patience with one call; the server is dead where it answered no others since the fault before."""
        times = f"{self._settings.retries + 1} times" if self._settings.retries else "once"
        self._strikes += 1
        if not others and (fault.remedy is not Remedy.RETRY or self._strikes >= _STRIKES):
            raise self._error(f"gives no answer (asked {times}; {fault.reason})", "see that it runs") from fault
        return Reply(failure=f"asked {times}; {fault.reason}")

    def _what_to_check(self) -> str:
        check = f"check teacher.url, teacher.model ({self._settings.model})"
        variable = f"the environment variable {self._settings.key_variable}"
        return (
            f"{check} and the key in {variable}" if self._key else f"{check} and whether it wants a key in {variable}"
        )

    def _error(self, reason: str, next_step: str) -> UnavailableError:
        step = f"{next_step}, then run again: what was answered is kept in {self._cache.path.name}"
        return UnavailableError(f"Endpoint {self._settings.url}", reason, step)

    def _clean(self, text: str) -> str:
        """The text without the key, should a server echo it."""
        return text.replace(self._key, "[key]") if self._key else text
