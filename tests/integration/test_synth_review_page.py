"""The review page in a real browser, by keyboard; and what its server refuses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from reviews import SCRIPT, item, working_folder

from harness.errors import UnavailableError, UsageError
from synth.review import ReviewServer, VerdictLog, agreements, approved, queue, serve


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A working folder with things to review."""
    return working_folder(tmp_path / "corpus", 12)


@pytest.fixture
def server(out: Path) -> Iterator[ReviewServer]:
    """The page of reviewer ann."""
    with serve(queue(out, 6, 0.5, "ann", 0), VerdictLog(out), "ann", open_browser=False) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: ReviewServer) -> Iterator[Page]:
    """The opened page; whatever goes wrong in its script fails the test."""
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(server.url)
    expect(opened.locator("#title")).to_contain_text("Guideline")
    yield opened
    opened.close()
    assert problems == []


def request(server: ReviewServer, method: str, path: str, content: Any = None, **headers: str) -> tuple[int, Any, Any]:
    """Status, headers and JSON of a request that sends exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    body = json.dumps(content) if content is not None else None
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    raw = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, json.loads(raw) if raw.startswith("{") else raw


def test_keyboard_alone_accepts_rejects_edits_and_undoes(page: Page, out: Path) -> None:
    """Every verdict can be given without a mouse, and each becomes one line of the file."""
    press, title, verdict = page.keyboard.press, page.locator("#title"), page.locator("#verdict")
    press("a")
    expect(title).to_contain_text("Rule")
    press("r")
    page.keyboard.type("too broad, and unjust")
    press("Enter")
    expect(title).to_contain_text("telegrams")
    press("e")
    page.locator("#text").fill(page.locator("#text").input_value().replace("A town", "A village, a town"))
    press("Control+Enter")
    expect(verdict).to_have_text("edited")
    expect(page.locator("pre.before")).to_contain_text("A town or a country")
    expect(page.locator("pre.after mark")).to_have_text("village, a ")
    press("j")
    expect(title).to_contain_text("Example")
    press("a")
    expect(page.locator("#count")).to_have_text("4 of 9")
    press("k")
    expect(verdict).to_have_text("accepted")
    press("u")
    expect(verdict).to_have_text("")
    expect(page.locator("#count")).to_have_text("3 of 9")
    said = [(line.verdict, line.reviewer, line.reason) for line in VerdictLog(out).lines()]
    assert said == [
        ("accept", "ann", ""), ("reject", "ann", "too broad, and unjust"), ("edit", "ann", ""), ("accept", "ann", ""),
        ("undo", "ann", ""),
    ]  # fmt: skip
    assert len(approved(out)) == 2


def test_a_reload_keeps_the_progress(page: Page) -> None:
    """After a reload the page goes on at the first open item, with all verdicts shown."""
    page.keyboard.press("a")
    expect(page.locator("#title")).to_contain_text("Rule")
    page.reload()
    expect(page.locator("#title")).to_contain_text("Rule")
    expect(page.locator("#count")).to_have_text("1 of 9")
    expect(page.locator(".dot.accept")).to_have_count(1)


def test_escape_leaves_everything_as_it_was(page: Page, out: Path) -> None:
    """Neither an opened editor nor a begun rejection writes anything, and letters typed there are no commands."""
    for key, field in (("e", "#text"), ("r", "#reason")):
        page.keyboard.press(key)
        expect(page.locator(field)).to_be_focused()
        page.keyboard.type("aaa")
        page.keyboard.press("Escape")
        expect(page.locator(field)).to_be_hidden()
    expect(page.locator("#title")).to_contain_text("Guideline")
    assert list(VerdictLog(out).lines()) == []


def test_a_rejection_without_a_reason_is_refused_in_words(page: Page, out: Path) -> None:
    """The page shows the sentence and stays where it is."""
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.locator("#error")).to_contain_text("has no reason")
    expect(page.locator("#title")).to_contain_text("Guideline")
    assert list(VerdictLog(out).lines()) == []


def test_a_broken_edit_keeps_what_was_typed(page: Page, out: Path) -> None:
    """A guideline that is no YAML is refused with the reason, and the text stays in the editor."""
    page.keyboard.press("e")
    page.locator("#text").fill("- label: [person")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#error")).to_contain_text("is no YAML")
    expect(page.locator("#text")).to_have_value("- label: [person")
    assert list(VerdictLog(out).lines()) == []


def test_filters_narrow_the_queue(page: Page) -> None:
    """Kind, strategy and status choose what is listed; what gets another status leaves the list."""
    page.locator("#kind").select_option("example")
    expect(page.locator("#list li")).to_have_count(6)
    page.locator("#strategy").select_option("rules")
    expect(page.locator("#list li")).to_have_count(2)
    expect(page.locator("pre.before").first).to_contain_text("Dr Ada Vance")
    page.locator("#status").select_option("open")
    page.keyboard.press("a")
    expect(page.locator("#list li")).to_have_count(1)
    page.keyboard.press("a")
    expect(page.locator("#empty")).to_be_visible()
    page.locator("#status").select_option("accepted")
    expect(page.locator("#list li")).to_have_count(2)


def test_a_script_in_the_data_is_shown_as_text(page: Page) -> None:
    """Data never becomes markup, in the list, in the panels, in the editor or in a reason."""
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("pre.after")).to_contain_text(SCRIPT)
    page.keyboard.press("r")
    page.keyboard.type("<img src=x onerror=\"document.title='taken'\">")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_contain_text("Example")
    page.keyboard.press("k")
    expect(page.locator("#verdict")).to_contain_text("<img src=x")
    assert page.title() == "Review"
    assert page.locator("main script, main img").count() == 0


def test_the_page_fits_narrow_windows(page: Page) -> None:
    """At the width of a phone nothing is cut off at the side."""
    page.keyboard.press("j")
    page.set_viewport_size({"width": 400, "height": 800})
    width = page.locator("body").bounding_box()
    assert width is not None
    assert width["width"] <= 400
    for name in ("#accept", "#next", "#title", "pre.after >> nth=0"):
        box = page.locator(name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 400


def test_nothing_is_loaded_from_elsewhere(browser: Browser, server: ReviewServer) -> None:
    """Every request of the page goes to its own server."""
    opened = browser.new_page()
    asked: list[str] = []
    opened.on("request", lambda one: asked.append(one.url))
    opened.goto(server.url)
    expect(opened.locator("#title")).to_contain_text("Guideline")
    opened.close()
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith("data:")}
    assert hosts == {f"127.0.0.1:{server.port}"}


def test_a_wrong_token_is_refused(server: ReviewServer, out: Path) -> None:
    """Neither page, state nor verdicts can be had without the token."""
    host = f"127.0.0.1:{server.port}"
    content = {"item": next(iter(server.items)), "verdict": "accept"}
    for method, path in (("GET", "/"), ("GET", "/?token=x"), ("GET", "/state"), ("POST", "/verdicts")):
        status, _, answer = request(server, method, path, content if method == "POST" else None, Host=host)
        assert status == 403
        assert "token is wrong" in answer["error"]
    assert list(VerdictLog(out).lines()) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.org"},
        {"Host": "127.0.0.1:1"},
        {"Host": "OWN", "Origin": "https://example.org"},
        {"Host": "OWN", "Origin": "null"},
    ],
)
def test_foreign_hosts_and_pages_are_refused(server: ReviewServer, headers: dict[str, str]) -> None:
    """A request under another name (DNS rebinding) or from another page is refused even with the token."""
    own = {name: value.replace("OWN", f"127.0.0.1:{server.port}") for name, value in headers.items()}
    status, _, answer = request(server, "GET", "/state", **own, X_Review_Token=server.token)
    assert status == 403
    assert "its own machine" in answer["error"]


def test_the_policy_forbids_everything_but_the_pages_own_script(server: ReviewServer) -> None:
    """The content policy names a nonce and nothing wider, and the page is neither cached nor framed."""
    status, headers, _ = request(server, "GET", f"/?token={server.token}", Host=f"127.0.0.1:{server.port}")
    policy = headers["Content-Security-Policy"]
    assert status == 200
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


@pytest.mark.parametrize(
    ("path", "content", "status", "sentence"),
    [
        ("/verdicts", {"item": "nothing", "verdict": "accept"}, 400, "not in this queue"),
        ("/verdicts", {"item": "FIRST", "verdict": "maybe"}, 400, "is unknown"),
        ("/verdicts", {"item": "FIRST", "verdict": ["accept"]}, 400, "no text"),
        ("/verdicts", {"item": "FIRST", "verdict": "undo"}, 400, "nothing to undo"),
        ("/verdicts", [1], 400, "no JSON object"),
        ("/elsewhere", {}, 404, "no such page"),
    ],
)
def test_requests_that_make_no_sense(server: ReviewServer, path: str, content: Any, status: int, sentence: str) -> None:
    """Each is refused in a sentence, and the server goes on."""
    if isinstance(content, dict) and content.get("item") == "FIRST":
        content = {**content, "item": next(iter(server.items))}
    own = {"Host": f"localhost:{server.port}", "X_Review_Token": server.token}
    found, _, answer = request(server, "POST", path, content, **own)
    assert found == status
    assert sentence in answer["error"]
    assert request(server, "GET", "/state", **own)[0] == 200


def test_several_reviewers_at_once(out: Path) -> None:
    """Three servers on one file take verdicts at the same time; none is lost, and agreement can be counted."""
    names = ("ann", "ben", "cem")
    servers = [serve([item(n) for n in range(30)], VerdictLog(out), name, open_browser=False) for name in names]

    def judge(pair: tuple[ReviewServer, int]) -> int:
        server, number = pair
        word = "reject" if number % 3 == 0 else "accept"
        content = {"item": f"x{number}", "verdict": word, "reason": "x"}
        own = {"Host": f"127.0.0.1:{server.port}", "X_Review_Token": server.token}
        return request(server, "POST", "/verdicts", content, **own)[0]

    try:
        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(judge, [(server, number) for number in range(30) for server in servers])) == {200}
    finally:
        for server in servers:
            server.close()
    assert len(list(VerdictLog(out).lines())) == 90
    assert [one.kappa for one in agreements(VerdictLog(out)) if one.strategy == "all"] == pytest.approx([1, 1, 1])


def test_what_cannot_be_served(server: ReviewServer, out: Path) -> None:
    """A port in use and a reviewer without a name are errors in words."""
    with pytest.raises(UnavailableError, match=f"Port {server.port}: cannot be listened on"):
        serve([], VerdictLog(out), "ben", server.port, open_browser=False)
    with pytest.raises(UsageError, match="no name"):
        serve([], VerdictLog(out), "  ", open_browser=False)
