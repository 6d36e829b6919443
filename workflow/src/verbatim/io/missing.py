"""Missing images: each is recorded with its reason and the job continues; if most are missing, the job ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

MOST_NAMED = 3  # reasons in one message, each with an example


class MissingError(ValueError):
    """Most images of a job are missing: a name, a path or a setting is wrong, and not this many images."""


def kind_of_reason(reason: str) -> str:
    """A reason without what is of one image alone: its url, path, quoted name and numbers."""
    for pattern, word in (
        (r"\w+://\S+", "URL"),
        (r"'[^']*'|\"[^\"]*\"", "'...'"),
        (r"[^\s:;,]*/[^\s:;,]+", "FILE"),
        (r"\b[\w-]*\d[\w.-]*\b", "N"),
    ):
        reason = re.sub(pattern, word, reason)
    return reason


def check_missing(
    reasons: Mapping[Any, int], total: int, most: float, what: str, cure: str = ""
) -> None:
    """The alarm for images that cannot be used.

    Parameters
    ----------
    reasons
        Why images are missing or broken, and how many for each reason.
    total
        All images that were asked for.
    most
        `inputs.most_missing`: the largest share, 0 to 1, with which the job goes on. One missing image never
        ends a job, in however short a list.
    what
        Of what, for the message: "training images of sd1".
    cure
        What to look at first.

    Raises
    ------
    MissingError
        With the most frequent reasons, an example of each, and what to do.
    """
    missing = sum(reasons.values())
    if missing <= max(1, most * total):
        return
    counts: Counter[str] = Counter()
    example: dict[str, str] = {}
    for reason, count in sorted(reasons.items()):  # one message, in whatever order they came
        kind = kind_of_reason(reason)
        counts[kind] += count
        example.setdefault(kind, reason)
    said = [
        f"{count:,} times, for example: {example[kind]}"
        for kind, count in counts.most_common(MOST_NAMED)
    ]
    if len(counts) > MOST_NAMED:
        said.append(f"and {len(counts) - MOST_NAMED} other reasons")
    raise MissingError(
        f"{missing:,} of {total:,} {what} are missing or broken, more than the share {most:g} that "
        "inputs.most_missing allows:\n"
        + "\n".join(said)
        + f"\n{cure + '; or s' if cure else 'S'}et inputs.most_missing to a larger share (1: never ends a job) "
        "if this is what the data are like"
    )
