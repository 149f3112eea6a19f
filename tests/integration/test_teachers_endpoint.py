"""The endpoint against a server that goes wrong: a fault ends in an answer, a failure with a reason, or one error."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import teaching
from faulty_server import GOOD, Act, FaultyServer, Plan

from harness.errors import UnavailableError
from synth.teachers import Answer, Outcome, Request, spent
from synth.teachers.faults import Patience

KEY = "sk-test-0123456789"
REFUSED_LIMIT = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.teach(monkeypatch)
    monkeypatch.delenv("TEACHER_TEST_KEY", raising=False)


def ask(plan: Plan, folder: Path, count: int = 1, **changes: Any) -> tuple[list[Answer], FaultyServer]:
    """Answers of a server that follows a plan, and the server with what it saw."""
    with FaultyServer(plan) as server:
        teacher = teaching.endpoint(server.url, folder, **changes)
        return list(teacher.ask(teaching.requests(count))), server


def only(plan: Plan, folder: Path, **changes: Any) -> Answer:
    """The answer to a single request."""
    (answer,), _ = ask(plan, folder, **changes)
    return answer


def first(*acts: Act) -> Plan:
    """A plan: these acts in turn, then good answers."""
    return lambda number, body: acts[number] if number < len(acts) else Act()


def logged(folder: Path) -> list[tuple[str, str]]:
    """Reasons and bodies of the failures that the cache keeps."""
    with sqlite3.connect(folder / "teacher.sqlite") as database:
        found: list[tuple[str, str]] = database.execute("SELECT reason, response FROM failures").fetchall()
    database.close()
    return found


def test_answers_come_in_order_and_are_counted(tmp_path: Path) -> None:
    """Later requests that finish first wait for earlier ones; tokens and cost are those that the server counted."""
    plan: Plan = lambda number, body: Act(delay_s=0.05 if number % 3 == 0 else 0)  # noqa: E731
    with FaultyServer(plan) as server:
        teacher = teaching.endpoint(server.url, tmp_path, price=(1.0, 10.0))
        asked = teaching.requests(40)
        answers = list(teacher.ask(asked))
    assert [answer.request for answer in answers] == asked
    assert {answer.outcome for answer in answers} == {Outcome.STRICT}
    usage = teacher.usage()
    assert (usage.sent, usage.cached, usage.prompt_tokens, usage.completion_tokens) == (40, 0, 4000, 800)
    assert usage.cost == pytest.approx(4000e-6 * 1 + 800e-6 * 10)
    assert spent(tmp_path / "teacher.sqlite", (1.0, 10.0)).cost == pytest.approx(usage.cost)


def test_concurrency_is_bounded_and_used(tmp_path: Path) -> None:
    """As many requests are under way as allowed, never more."""
    _, server = ask(lambda number, body: Act(delay_s=0.02), tmp_path, count=60, concurrency=7)
    assert server.most == 7


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    """The cache answers everything, without a server, and under another URL too."""
    answers, _ = ask(first(), tmp_path, count=10)
    teacher = teaching.endpoint("http://127.0.0.1:9/v1", tmp_path)
    assert list(teacher.ask(teaching.requests(10))) == answers
    assert (teacher.usage().sent, teacher.usage().cached, teacher.usage().cost) == (0, 10, None)


def test_equal_requests_are_sent_once(tmp_path: Path) -> None:
    """Five equal requests in flight are one; another sample of the same question is another request."""
    with FaultyServer(lambda number, body: Act(delay_s=0.05)) as server:
        teacher = teaching.endpoint(server.url, tmp_path)
        answers = list(teacher.ask(teaching.requests(1) * 5 + teaching.requests(1, sample=1)))
    assert len(answers) == 6
    assert [body["seed"] for body in server.bodies] == [0, 1]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Act(status=500, body='{"error": {"message": "out of luck"}}'), "status 500, out of luck"),
        (Act(status=503, body="busy"), "status 503, busy"),
        (Act(status=429, body="{}"), "status 429"),
        (Act(cut="before"), "no connection"),
        (Act(cut="middle"), "no connection"),
        (Act(body="<html>gateway</html>"), "the body is no JSON: '<html>gateway</html>'"),
        (Act(body='{"choices": []}'), "the body holds no choices"),
        (Act(body='{"choices": [{"text": "x"}]}'), "the choice holds no message"),
        (Act(body="[]"), "the body holds no choices"),
    ],
)
def test_a_passing_fault_is_tried_again(tmp_path: Path, fault: Act, reason: str) -> None:
    """After two faults the third try answers; both faults are kept with what came."""
    answers, server = ask(first(fault, fault), tmp_path)
    assert answers[0].outcome is Outcome.STRICT
    assert len(server.bodies) == 3
    assert [kept.startswith(reason) for kept, _ in logged(tmp_path)] == [True, True]
    if fault.body and not fault.cut:
        assert logged(tmp_path)[0][1] == fault.body


@pytest.mark.parametrize("slow", [Act(delay_s=3), Act(drip_s=0.05)])
def test_a_slow_answer_is_tried_again(tmp_path: Path, slow: Act) -> None:
    """Past the time-out a request counts as lost, even where bytes drip in all the time."""
    answer = only(first(slow), tmp_path, timeout_s=0.4)
    assert answer.outcome is Outcome.STRICT
    assert logged(tmp_path)[0][0] == "no answer within 0.4 s"


def test_too_many_requests_slow_everybody_down(tmp_path: Path) -> None:
    """Without a Retry-After the wait is ours, and it holds the others too: nobody runs out of tries meanwhile."""
    taken: list[float] = []

    def plan(number: int, body: dict[str, Any]) -> Act:
        now = time.monotonic()
        if sum(moment > now - 0.03 for moment in taken) >= 3:
            return Act(status=429, body="{}")
        taken.append(now)
        return Act()

    answers, _ = ask(plan, tmp_path, count=60, concurrency=8, retries=8)
    assert {answer.outcome for answer in answers} == {Outcome.STRICT}


@pytest.mark.parametrize("told", ["0.5", "date"])
def test_retry_after_is_honoured_by_every_request(tmp_path: Path, told: str) -> None:
    """A server that asks for a pause is left alone for so long, by the others too."""
    header = formatdate(time.time() + 2, usegmt=True) if told == "date" else told
    _, server = ask(
        first(Act(status=429, body="{}", headers={"Retry-After": header})), tmp_path, count=8, concurrency=2
    )
    late = [moment - server.times[0] for moment in server.times[2:]]
    assert min(late) >= 0.45


def test_a_pause_that_is_too_long_stops_the_job(tmp_path: Path) -> None:
    """Nobody waits for hours in silence."""
    with pytest.raises(UnavailableError, match="asks to wait 7200 s"):
        ask(lambda number, body: Act(status=429, body="{}", headers={"Retry-After": "7200"}), tmp_path)


@pytest.mark.parametrize(("status", "reason"), [(400, "status 400, too long"), (413, "status 413, too long")])
def test_a_call_that_the_server_refuses_fails_alone(tmp_path: Path, status: int, reason: str) -> None:
    """It is sent once (and once without a schema, where the refusal may be of that), and the others go on."""

    def plan(number: int, body: dict[str, Any]) -> Act:
        bad = "land 3?" in body["messages"][-1]["content"]
        return Act(status=status, body='{"error": {"message": "too long"}}') if bad else Act()

    answers, server = ask(plan, tmp_path, count=6, concurrency=1)
    assert [answer.outcome for answer in answers].count(Outcome.FAILED) == 1
    assert (answers[3].outcome, answers[3].content, answers[3].reason) == (Outcome.FAILED, None, reason)
    assert len(server.bodies) == 6


@pytest.mark.parametrize(("status", "hint"), [(401, "the environment variable"), (403, "key"), (404, "teacher.model")])
def test_a_server_that_takes_no_request_stops_the_job(tmp_path: Path, status: int, hint: str) -> None:
    """A wrong key, model or path is not tried again; what was answered before is kept."""
    with FaultyServer(lambda number, body: Act() if number < 5 else Act(status=status, body='"no"')) as server:
        teacher = teaching.endpoint(server.url, tmp_path, concurrency=1)
        with pytest.raises(UnavailableError, match=f"refuses every request .status {status}.*{hint}") as caught:
            list(teacher.ask(teaching.requests(20)))
    assert caught.value.exit_code == 69
    assert "teacher.sqlite" in str(caught.value)
    assert len(server.bodies) == 6
    assert spent(tmp_path / "teacher.sqlite").sent == 5


def test_a_server_that_refuses_whatever_is_sent_stops_the_job(tmp_path: Path) -> None:
    """Twenty refusals and no answer ever mean wrong settings; where there were answers, refused requests fail alone."""
    plan: Plan = lambda number, body: Act(status=422, body='{"detail": "unknown field seed"}')  # noqa: E731
    with pytest.raises(UnavailableError, match=r"refuses every request \(status 422, unknown field seed\)"):
        ask(plan, tmp_path, count=100)
    ask(first(), tmp_path, count=1)
    answers, _ = ask(plan, tmp_path, count=100)
    assert [answer.outcome for answer in answers] == [Outcome.STRICT] + [Outcome.FAILED] * 99


def test_a_dead_endpoint_is_one_clear_error(tmp_path: Path) -> None:
    """Nothing listens: after the tries one error says so."""
    teacher = teaching.endpoint("http://127.0.0.1:9/v1", tmp_path)
    with pytest.raises(UnavailableError, match=r"gives no answer \(asked 4 times; no connection.*then run again"):
        list(teacher.ask(teaching.requests(30)))
    assert {reason.split(" (")[0] for reason, _ in logged(tmp_path)} == {"no connection"}


def test_an_endpoint_that_dies_keeps_what_it_answered(tmp_path: Path) -> None:
    """Answers before the death come out in order; a second run sends only the rest."""
    with FaultyServer(lambda number, body: Act() if number < 30 else Act(status=503, body="gone")) as server:
        teacher = teaching.endpoint(server.url, tmp_path, concurrency=4, retries=1)
        got: list[Answer] = []
        with pytest.raises(UnavailableError, match="status 503, gone"):
            got.extend(teacher.ask(teaching.requests(50)))
    assert [answer.request for answer in got] == teaching.requests(50)[: len(got)]
    answers, server = ask(first(), tmp_path, count=50)
    assert {answer.outcome for answer in answers} == {Outcome.STRICT}
    assert len(server.bodies) == 20


def test_a_request_that_always_breaks_the_server_fails_alone(tmp_path: Path) -> None:
    """A status 500 of one request, again and again, does not stop a job that otherwise goes on."""

    def plan(number: int, body: dict[str, Any]) -> Act:
        return Act(status=500, body="boom") if "land 3?" in body["messages"][-1]["content"] else Act(delay_s=0.01)

    answers, _ = ask(plan, tmp_path, count=20, concurrency=2)
    assert answers[3].outcome is Outcome.FAILED
    assert answers[3].reason == "asked 4 times; status 500, boom"
    assert sum(answer.outcome is Outcome.STRICT for answer in answers) == 19


def test_a_server_that_always_breaks_is_dead(tmp_path: Path) -> None:
    """Three requests in a row that run out of tries end the job."""
    with pytest.raises(UnavailableError, match="status 500, boom"):
        ask(lambda number, body: Act(status=500, body="boom"), tmp_path, count=50, concurrency=1, retries=1)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"Sure! Here you are:\n```json\n{GOOD}\n```\nAnything else?", Outcome.REPAIRED),
        ("{'country': 'Peru', 'capital': 'Lima',}", Outcome.REPAIRED),
        ("I would rather not say.", Outcome.INVALID),
        ('{"country": "Peru"}', Outcome.INVALID),
        ('{"country": "Peru", "capital": "Lima", "capital": "Cusco"}', Outcome.INVALID),
        ("", Outcome.INVALID),
    ],
)
def test_what_a_model_says_is_sorted(tmp_path: Path, text: str, outcome: Outcome) -> None:
    """Prose around JSON is repaired and said to be; prose, wrong forms and contradictions are invalid with a reason."""
    answers, server = ask(lambda number, body: Act(text=text), tmp_path)
    assert answers[0].outcome is outcome
    assert (answers[0].content is None) == bool(answers[0].reason) == (outcome is Outcome.INVALID)
    assert len(server.bodies) == len(answers[0].keys) == (3 if outcome is Outcome.INVALID else 1)


def test_an_invalid_answer_is_asked_again_with_the_problem(tmp_path: Path) -> None:
    """The second question quotes what was wrong and shows the first answer; the second answer counts."""
    answers, server = ask(first(Act(text='{"country": "Peru"}')), tmp_path)
    assert answers[0].outcome is Outcome.STRICT
    roles = [message["role"] for message in server.bodies[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert "at capital: Field required" in server.bodies[1]["messages"][-1]["content"]


@pytest.mark.parametrize("act", [Act(refusal="I cannot help with that."), Act(text="", finish="content_filter")])
def test_a_refusal_is_an_answer(tmp_path: Path, act: Act) -> None:
    """It is kept, not asked again, and has a reason."""
    answers, server = ask(lambda number, body: act, tmp_path)
    assert (answers[0].outcome, answers[0].content) == (Outcome.REFUSED, None)
    assert answers[0].reason.startswith("the model declined: ")
    assert len(server.bodies) == 1


def test_half_an_answer_is_not_repaired(tmp_path: Path) -> None:
    """What stopped at the token limit would pass for a whole answer."""
    answer = only(lambda number, body: Act(text='{"country": "Peru", "capital": "Li', finish="length"), tmp_path)
    assert answer.outcome is Outcome.INVALID
    assert answer.reason == "not usable after 3 answers: it was cut off: write less"


def test_structured_output_is_used_where_the_server_has_it(tmp_path: Path) -> None:
    """Every request carries the schema, closed and complete."""
    _, server = ask(first(), tmp_path, count=5)
    forms = [body["response_format"]["json_schema"] for body in server.bodies]
    assert {form["name"] for form in forms} == {"capital"}
    assert forms[0]["schema"]["required"] == ["country", "capital"]
    assert forms[0]["schema"]["additionalProperties"] is False


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_without_structured_output_is_found_out_once(tmp_path: Path, status: int) -> None:
    """One request finds out, the user hears of it once, and all are answered without a schema."""
    said: list[str] = []

    def plan(number: int, body: dict[str, Any]) -> Act:
        return Act(status=status, body='{"detail": "no response_format"}') if "response_format" in body else Act()

    with FaultyServer(plan) as server:
        teacher = teaching.endpoint(server.url, tmp_path, said.append)
        answers = [*teacher.ask(teaching.requests(20)), *teacher.ask(teaching.requests(25))]
    assert {answer.outcome for answer in answers} == {Outcome.STRICT}
    assert sum("response_format" in body for body in server.bodies) == 1
    assert len(server.bodies) == 26
    assert said == [
        f"No structured output for capital (status {status}, no response_format): its answers are parsed and repaired."
    ]


def test_a_bad_first_call_does_not_condemn_structured_output(tmp_path: Path) -> None:
    """Where the plain form is refused too, the call was at fault, and the next one finds out."""
    plan: Plan = lambda number, body: Act(status=400, body='"too long"') if number < 2 else Act()  # noqa: E731
    answers, server = ask(plan, tmp_path, count=5, concurrency=1)
    assert [answer.outcome for answer in answers] == [Outcome.FAILED] + [Outcome.STRICT] * 4
    assert ["response_format" in body for body in server.bodies] == [True, False, True, True, True, True]


def test_a_server_that_ignores_the_schema_is_found_out(tmp_path: Path) -> None:
    """The first answer that is no JSON gives it away; the user hears of it once, and answers are repaired."""
    said: list[str] = []
    with FaultyServer(lambda number, body: Act(text=f"Here: {GOOD}")) as server:
        answers = list(teaching.endpoint(server.url, tmp_path, said.append).ask(teaching.requests(9)))
    assert {answer.outcome for answer in answers} == {Outcome.REPAIRED}
    assert len(said) == 1
    assert "the server takes the schema and does not follow it" in said[0]


def test_structured_output_can_be_switched_off(tmp_path: Path) -> None:
    """``structured: false`` sends no schema."""
    _, server = ask(first(), tmp_path, structured=False)
    assert "response_format" not in server.bodies[0]


def test_the_newer_name_of_the_token_limit_is_learned(tmp_path: Path) -> None:
    """A server that knows only ``max_completion_tokens`` is given that, with structured output as before."""

    def plan(number: int, body: dict[str, Any]) -> Act:
        refused = Act(status=400, body=json.dumps({"error": {"message": REFUSED_LIMIT}}))
        return refused if "max_tokens" in body else Act()

    answers, server = ask(plan, tmp_path, count=5)
    assert {answer.outcome for answer in answers} == {Outcome.STRICT}
    assert ["max_tokens" in body for body in server.bodies] == [True, False, False, False, False, False]
    assert all("response_format" in body for body in server.bodies)


def test_requests_per_minute_are_kept(tmp_path: Path) -> None:
    """Requests are spaced, whatever the concurrency."""
    _, server = ask(first(), tmp_path, count=11, requests_per_minute=600)
    assert server.times[-1] - server.times[0] >= 0.8
    assert server.most <= 2


def test_the_key_is_sent_and_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key goes into the header; a server that echoes it gets it into no file and no message."""
    monkeypatch.setenv("TEACHER_TEST_KEY", KEY)
    bad = json.dumps({"error": {"message": f"wrong key {KEY}"}})
    text = json.dumps({"country": "Peru", "capital": f"Lima {KEY}"})
    with FaultyServer(first(Act(status=500, body=bad), Act(text=text), Act(status=401, body=bad))) as server:
        teacher = teaching.endpoint(server.url, tmp_path)
        (answer,) = teacher.ask(teaching.requests(1))
        with pytest.raises(UnavailableError, match=r"wrong key \[key\].*the key in the environment variable") as caught:
            list(teacher.ask(teaching.requests(5)))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert answer.content == {"country": "Peru", "capital": "Lima [key]"}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    shown = str(caught.value) + str(caught.value.__cause__) + "".join(capsys.readouterr())
    assert KEY.encode() not in written
    assert KEY not in shown + repr(teacher.usage()) + repr(vars(teacher))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_faults_at_once(tmp_path: Path, seed: int) -> None:
    """In a storm of faults every request has one answer, in order, and a calm second run asks only what failed."""
    draw = random.Random(seed)
    storm = [
        Act(status=500, body="{}"), Act(status=503, body="x"), Act(status=429, body=""), Act(status=400, body="{}"),
        Act(cut="before"), Act(cut="middle"), Act(body="{}"), Act(text="no"), Act(refusal="no"), Act(delay_s=1),
    ]  # fmt: skip
    plan: Plan = lambda number, body: draw.choice(storm) if draw.random() < 0.3 else Act(delay_s=draw.random() / 50)  # noqa: E731
    answers, _ = ask(plan, tmp_path, count=150, retries=8, timeout_s=0.5)
    assert [answer.request for answer in answers] == teaching.requests(150)
    failed = sum(answer.outcome is Outcome.FAILED for answer in answers)
    again, server = ask(first(), tmp_path, count=150)
    assert len(server.bodies) == failed
    assert [one for one, answer in zip(again, answers, strict=True) if answer.outcome is not Outcome.FAILED] == [
        answer for answer in answers if answer.outcome is not Outcome.FAILED
    ]


def test_an_interrupt_keeps_every_answer(tmp_path: Path) -> None:
    """Ctrl-C in the middle: what was answered is in the cache, and the next run sends only the rest."""

    def stream(answers: Iterator[Answer]) -> None:
        for number, _ in enumerate(answers):
            if number == 10:
                raise KeyboardInterrupt

    with FaultyServer(lambda number, body: Act(delay_s=0.02)) as server:
        with pytest.raises(KeyboardInterrupt):
            stream(teaching.endpoint(server.url, tmp_path, concurrency=4).ask(teaching.requests(500)))
        kept, seen = spent(tmp_path / "teacher.sqlite").sent, len(server.bodies)
        assert 11 <= kept < 500
        assert seen - kept <= 4
        assert len(list(teaching.endpoint(server.url, tmp_path).ask(teaching.requests(500)))) == 500
        assert len(server.bodies) == seen + 500 - kept


def test_a_reader_that_stops_leaves_nothing_running(tmp_path: Path) -> None:
    """Closing the iterator ends the thread and the requests."""
    with FaultyServer(lambda number, body: Act(delay_s=0.01)) as server:
        answers = teaching.endpoint(server.url, tmp_path).ask(teaching.requests(1000))
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        time.sleep(0.3)  # what was on the wire already arrives
        seen = len(server.bodies)
        time.sleep(0.1)
        assert len(server.bodies) == seen
    assert "teacher" not in {thread.name for thread in threading.enumerate()}


def test_requests_are_read_ahead_but_not_all(tmp_path: Path) -> None:
    """An endless stream of requests is answered as it comes."""

    def endless() -> Iterator[Request]:
        while True:
            yield from teaching.requests(1)

    with FaultyServer() as server:
        answers = teaching.endpoint(server.url, tmp_path).ask(endless())
        assert [next(answers).outcome for _ in range(3000)] == [Outcome.STRICT] * 3000
        answers.close()  # type: ignore[attr-defined]


def test_waits_grow_with_jitter_up_to_a_limit() -> None:
    """The n-th wait lies between half and all of its exponential bound."""
    patience = Patience(first_s=1, longest_s=8)
    for tries, bound in enumerate((1, 2, 4, 8, 8, 8), 1):
        drawn = [patience.wait_s(tries) for _ in range(200)]
        assert bound / 2 <= min(drawn) < max(drawn) <= bound
