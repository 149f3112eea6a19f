"""The filter of the teacher's judgement: is this a good example to learn from?

Judging needs one connection, one rate limit and one cache, so it is done once before the shards are annotated; the
shards read the scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import DataError, StoreError
from synth.filters.filter import Check, Context, Filter, Work
from synth.records import Annotation
from synth.shards import read_shard
from synth.teachers import Answer, Request, teacher_of


class Judgement(BaseModel):
    """A judge's answer.

    Attributes:
        score: 1 (wrong or useless) to 5 (nothing to improve).
        reason: One sentence.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    score: int = Field(ge=1, le=5)
    reason: str = Field(min_length=1)


def judge_shards(paths: Sequence[Path], state: Path, context: Context) -> None:
    """Ask the teacher about every example of shards that have no scores yet; answers are cached one by one.

    Raises:
        DataError: The recipe's teacher is the rulebook, which cannot judge.
        UnavailableError: The teacher does not answer; what it said is kept.
    """
    if context.teacher.kind == "rulebook":
        raise DataError(
            "The recipe", "asks for a judge but its teacher is the rulebook, which cannot judge",
            "set teacher.kind to an endpoint or a local model, or leave filters.judge out",
        )  # fmt: skip
    teacher = teacher_of(context.teacher, context.cache / "teacher.sqlite")
    for number, path in enumerate(paths):
        out = _scores(state, number)
        if not out.is_file():
            _write(out, [_scored(answer) for answer in teacher.ask(_requests(path))])


def _requests(path: Path) -> Iterator[Request]:
    for row in read_shard(path):
        yield Request("judge", {"prompt": row["prompt"], "completion": row["completion"]})


def _scored(answer: Answer) -> dict[str, Any]:
    if answer.content is None:
        return {"score": None, "reason": answer.reason}
    return dict(answer.content)


def _scores(state: Path, shard: int) -> Path:
    return state / f"judge-{shard:05}.json"


def _write(path: Path, scores: list[dict[str, Any]]) -> None:
    temporary = path.with_suffix(".partial")
    try:
        temporary.write_text(json.dumps(scores, ensure_ascii=False), encoding="utf-8", errors="surrogatepass")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"Scores {path}", f"cannot be written ({error.strerror})", "free space or name another folder"
        ) from error


def _check(work: Work) -> Check:
    least = work.context.settings.judge or 0.0
    text = _scores(work.state, work.shard).read_text(encoding="utf-8", errors="surrogatepass")
    scores = iter(json.loads(text))

    def annotation() -> Annotation:
        found = next(scores)
        score = found["score"]
        if score is None:
            return JUDGE.found(False, None, f"the judge gave no score: {found['reason']}")
        return JUDGE.found(score >= least, score, f"the judge gave {score} of 5: {found['reason']}")

    return lambda examples: [annotation() for _ in examples]


JUDGE = Filter("judge", "1", _check)
"""The teacher gives at least ``judge`` of 5; an example without a score does not pass. Value: score."""
