"""From a model's text to a valid answer: strict, repaired, or a problem in words."""

from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from teaching import PERU, Capital

from synth.teachers.faults import retry_after_s
from synth.teachers.parsing import parse
from synth.teachers.replies import MalformedReplyError, Reply, completion, reply_of

ANSWER = {"country": "Peru", "capital": "Lima"}


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (PERU, False),
        (f"\n {PERU} \n", False),
        (f"<think>Lima, or {{Cusco}}?</think>\n{PERU}", False),
        (f"a template opened the thought</think>{PERU}", False),
        (f"```json\n{PERU}\n```", True),
        (f"The answer is {PERU}. I hope this helps.", True),
        ("{country: Peru, capital: Lima}", True),
        ('{"country": "Peru", "capital": "Lima"', True),
    ],
)
def test_an_answer_is_found(text: str, repaired: bool) -> None:
    """Strict JSON counts as strict; fences, prose, loose quotes and a missing brace are repaired."""
    parsed = parse(text, Capital, cut=False)
    assert (parsed.content, parsed.repaired, parsed.problem) == (ANSWER, repaired, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("<think>hm</think>", "it is empty"),
        (f"<think>perhaps {PERU}", "the thought in it does not end"),
        ("Lima.", "it holds no JSON object, it begins with 'Lima.'"),
        ("{}", "it does not follow the schema (at country: Field required; at capital: Field required)"),
        ("[]", "it does not follow the schema (at the top: Input should be"),
        ('{"country": "Peru", "capital": null}', "at capital: Input should be a valid string"),
        ('{"country": "Peru", "capital": "Lima", "river": "Rimac"}', "at river: Extra inputs are not permitted"),
        ('{"country": "Peru", "country": "Chile", "capital": "Lima"}', "the key 'country' occurs twice in one object"),
        (f"{PERU}\n{PERU.replace('Lima', 'Cusco')}", "it holds more than one JSON object: write one"),
        ("{" * 3000, "recursion depth"),
        (f"Either {PERU} or {PERU}", "it holds more than one JSON object: write one"),
    ],
)
def test_a_problem_is_said(text: str, problem: str) -> None:
    """What a model reads in the next question names the place and the fault."""
    parsed = parse(text, Capital, cut=False)
    assert parsed.content is None
    assert problem in parsed.problem


def test_what_was_cut_off_is_never_repaired() -> None:
    """Half an object is a problem; a whole one that happens to end at the limit is an answer."""
    assert parse(PERU[:-3], Capital, cut=True).problem == "it was cut off: write less"
    assert parse(PERU, Capital, cut=True).content == ANSWER


def test_plain_text_needs_no_json() -> None:
    """A prompt without an answer type takes the text as it is, if it is whole."""
    assert parse(" Lima. ", None, cut=False).content == {"text": "Lima."}
    assert parse("Lim", None, cut=True).content is None


@given(st.text(max_size=200))
def test_any_text_is_sorted(text: str) -> None:
    """No text raises: there is an answer or a problem, never both."""
    parsed = parse(text, Capital, cut=False)
    assert (parsed.content is None) == bool(parsed.problem)


@given(st.text(min_size=1, max_size=50), st.text(max_size=50))
def test_what_is_valid_is_strict(country: str, capital: str) -> None:
    """The JSON of an answer comes back equal and unrepaired, whatever stands in it."""
    text = Capital(country=country, capital=capital).model_dump_json()
    assert parse(text, Capital, cut=False).content == {"country": country, "capital": capital}


@given(st.text(max_size=100), st.sampled_from(["stop", "length"]))
def test_a_kept_text_comes_back(text: str, finish: str) -> None:
    """A local model's text is read from its raw body as it was written."""
    assert reply_of(completion(text, finish, 3, 4)) == Reply(text, finish, "", 3, 4)


@pytest.mark.parametrize(
    ("raw", "reply"),
    [
        ('{"choices": [{"message": {"content": null}}]}', Reply()),
        ('{"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}]}', Reply("ab")),
        ('{"choices": [{"message": {"refusal": "no"}}], "usage": null}', Reply(refusal="no")),
        (
            '{"choices": [{"message": {}, "finish_reason": "content_filter"}], "usage": {"prompt_tokens": "7"}}',
            Reply(finish="content_filter", refusal="filtered by the server"),
        ),
    ],
)
def test_odd_bodies_are_read(raw: str, reply: Reply) -> None:
    """Servers leave out what they do not have; tokens that are no number are not counted."""
    assert reply_of(raw) == reply


def bodies() -> st.SearchStrategy[str]:
    """JSON of all kinds, with the keys of a completion here and there."""
    leaves = st.none() | st.booleans() | st.integers() | st.text()
    keys = st.sampled_from(["choices", "message", "content", "usage"])
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8).map(
        json.dumps
    )


@given(bodies())
def test_any_json_is_a_reply_or_malformed(raw: str) -> None:
    """No body raises anything else."""
    with contextlib.suppress(MalformedReplyError):
        assert isinstance(reply_of(raw), Reply)


def test_retry_after_is_read() -> None:
    """Seconds or a date; what cannot be read says nothing."""
    assert [retry_after_s(text) for text in (None, "", "soon", "7", "0.5", "-3")] == [None, None, None, 7, 0.5, 0]
    later = retry_after_s(time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30)))
    assert later is not None
    assert 27 < later <= 30
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
