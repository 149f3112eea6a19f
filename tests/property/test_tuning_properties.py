"""What holds for any row that is trained on."""

from __future__ import annotations

from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from synth.tuning.encoding import encode
from synth.tuning.loading import load_tokenizer

TOKENIZER = load_tokenizer(str(files("harness") / "assets" / "nano"))
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<"), max_size=40)


@given(TEXTS, TEXTS.filter(str.strip))
def test_the_answer_and_its_end_are_learned(prompt: str, completion: str) -> None:
    """Tokens are those of the whole text; the learned ones are its end, the end token once among them."""
    (one,) = encode([{"prompt": prompt, "completion": completion}], TOKENIZER, "plain")
    assert list(one.ids) == TOKENIZER(prompt + completion)["input_ids"] + [TOKENIZER.eos_token_id]
    assert list(one.labels) == [-100] * one.start + list(one.ids[one.start :])
    assert one.labels.count(TOKENIZER.eos_token_id) == 1
    assert one.start < len(one.ids)


@given(st.lists(st.tuples(TEXTS, TEXTS.filter(str.strip)), min_size=1, max_size=5))
def test_rows_do_not_change_each_other(pairs: list[tuple[str, str]]) -> None:
    """Rows that are turned into tokens together are those that each gives alone."""
    rows = [{"prompt": prompt, "completion": completion} for prompt, completion in pairs]
    alone = [one for row in rows for one in encode([row], TOKENIZER, "plain")]
    assert list(encode(rows, TOKENIZER, "plain")) == alone
