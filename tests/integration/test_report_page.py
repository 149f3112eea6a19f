"""The report page in a real browser, wide, narrow, dark and printed: nothing runs, is loaded or sticks out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import scored_run
from playwright.sync_api import Browser, Page

from harness.compare import compare
from harness.compare.flips import find_flips
from harness.report import Report, Table, write_report

RNG = np.random.default_rng(2)
LONG = "a_task_with_a_name_that_goes_on_and_on_without_a_place_to_break"
STICKING_OUT = """() => [...document.querySelectorAll('body *')].filter(one => {
    const box = one.getBoundingClientRect();
    return !one.closest('.scroll, .skip, .command') && box.width > 1 && box.right > innerWidth + 0.5;
}).map(one => one.tagName + '.' + one.className + ' ' + one.textContent.slice(0, 40))"""
PLACES = """() => [...document.querySelectorAll('.forest td.plot svg[role=img]')].map(plot => {
    const box = plot.getBoundingClientRect(), cell = plot.parentElement.getBoundingClientRect();
    const mark = plot.querySelector('.mark > *').getBoundingClientRect();
    return [box.width - cell.width, box.height - cell.height, (mark.left + mark.right) / 2 - box.left, box.width];
})"""
COLOURS = "names => names.map(one => getComputedStyle(document.documentElement).getPropertyValue('--' + one))"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about a pair, with long names, long words in texts, and a wide table."""
    store = tmp_path_factory.mktemp("runs")
    base = (RNG.random(60) < 0.5).astype(float)
    shared: dict[str, Any] = {"texts": "<script>document.title = 'taken'</script> " + "w" * 500}
    shared["entries"] = {"topic": {"health": {"parse_failure": 0.3, "empty": 0.1}}}
    tasks = {"topic": base, LONG: base, **{f"task {n}": base for n in range(12)}}
    baseline = scored_run(store, tasks, checkpoint="b" * 60, **shared)
    candidate = scored_run(store, {**tasks, "topic": 1 - base}, checkpoint="tuned", **shared)
    found = compare(candidate, baseline)
    out = store / "page.html"
    write_report(
        Report(
            "A page about a pair with " + "x" * 80,
            runs=(baseline, candidate),
            comparisons=(found,),
            tables=(Table("Wide", tuple(f"column {n}" for n in range(30)), (tuple(map(str, range(30))),)),),
            flips={(candidate.id, baseline.id): tuple(find_flips(candidate, baseline, found, 2))},
        ),
        out,
    )
    return out


def opened(browser: Browser, file: Path, width: int, scheme: Any = "light") -> tuple[Page, list[str]]:
    """The page at a width, and whatever went wrong or was asked for beside it."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda one: problems.append(one.url) if one.url != file.as_uri() else None)
    page.goto(file.as_uri())
    return page, problems


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1400])
def test_nothing_sticks_out(browser: Browser, file: Path, width: int, scheme: str) -> None:
    """At every width the page itself does not scroll sideways: wide tables scroll in their own frame."""
    page, problems = opened(browser, file, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(STICKING_OUT) == []
    assert problems == []
    page.close()


def test_scripts_in_the_data_are_text(browser: Browser, file: Path) -> None:
    """A script among the items is shown and does not run."""
    page, problems = opened(browser, file, 1400)
    assert page.title().startswith("A page about a pair")
    assert page.locator("pre", has_text="document.title").count() > 0
    assert page.locator("script").count() == 0
    assert problems == []
    page.close()


def test_the_policy_lets_no_script_run(browser: Browser, file: Path, tmp_path: Path) -> None:
    """Even where a script were to enter the page, its policy refuses to run it and to load anything."""
    taken = tmp_path / "page.html"
    text = file.read_text(encoding="utf-8")
    taken.write_text(text.replace("</main>", "<script>document.title='taken'</script><img src=x></main>"), "utf-8")
    page, problems = opened(browser, taken, 1400)
    assert page.title() != "taken"
    assert len([problem for problem in problems if "Content Security Policy" in problem]) == 2
    page.close()


def test_plots_fill_their_cells_and_marks_keep_their_places(browser: Browser, file: Path) -> None:
    """A plot is as large as its cell, whatever the height of the row, and its mark lies inside."""
    for width in (400, 1400):
        page, _ = opened(browser, file, width)
        found = page.evaluate(PLACES)
        assert len(found) == 15
        for wider, higher, place, whole in found:
            assert abs(wider) <= 1
            assert abs(higher) <= 1
            assert 0.03 * whole <= place <= 0.97 * whole
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(browser: Browser, file: Path, scheme: str) -> None:
    """Text is at least 4.5 to 1 against the paper and marks 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    page, _ = opened(browser, file, 1400, scheme)
    least = dict.fromkeys(("ink", "soft", "link", "loss", "good", "open"), 4.5)
    least |= dict.fromkeys(("gain", "flat", *(f"s{number}" for number in range(1, 9))), 3.0)
    colours = page.evaluate(COLOURS, ["paper", *least])
    page.close()
    paper, *others = map(luminance, colours)
    ratios = ((max(paper, other) + 0.05) / (min(paper, other) + 0.05) for other in others)
    assert [name for name, ratio in zip(least, ratios, strict=True) if ratio < least[name]] == []


def test_print_is_light_and_whole(browser: Browser, file: Path) -> None:
    """On paper: no navigation, no items, folded tables open, black on white even where the screen is dark."""
    page, _ = opened(browser, file, 1000, "dark")
    page.emulate_media(media="print")
    assert page.locator("nav").is_visible() is False
    assert page.locator(".items").is_visible() is False
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    health = page.locator("#health details").first
    assert health.evaluate("one => one.open") is False
    assert health.locator("table").is_visible()
    page.close()


def luminance(colour: str) -> float:
    """Relative luminance of ``#rgb`` or ``#rrggbb`` (WCAG 2.2)."""
    digits = colour.strip().lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
