"""Does a run reproduce the numbers of a document? Its lookups are answered from the run and compared, section by section."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from verbatim.tables.documents import Lookup, answer, list_lookups

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.])")
MOST_SHARE = 0.05  # ASSUME: of a number that no goal of `findings.py` bounds; another processor moves counts by a few prompts
MOST_COUNT = 3.0  # ASSUME: the same of a whole number
TIMED = "seconds"  # a column that differs between any two runs
VERDICTS = ("same", "within tolerance", "outside tolerance")


@dataclass(frozen=True)
class Section:
    """What a section of a document expects and what a run has.

    differences : (expected, found) of each lookup that is answered otherwise, without times. verdict : one of `VERDICTS`.
    """

    title: str
    lookups: int
    differences: tuple[tuple[str, str], ...]
    verdict: str


def _has_goal(lookup: Lookup) -> bool:
    return "{holds}" in lookup.shown


def _near(expected: str, found: str) -> bool:
    """Whether two texts differ in numbers alone, and each of these little."""
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    for before, after in zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True):
        least = 0.0 if "." in before + after else MOST_COUNT
        if abs(float(after) - float(before)) > max(MOST_SHARE * abs(float(before)), least):
            return False
    return True


def _judge(pairs: list[tuple[Lookup, str, str]]) -> str:
    if all(expected == found for _, expected, found in pairs):
        return "same"
    goals = [(expected, found) for lookup, expected, found in pairs if _has_goal(lookup)]
    if goals:
        kept = all(found.endswith("yes") or expected.endswith("no") for expected, found in goals)
    else:
        kept = all(_near(expected, found) for _, expected, found in pairs)
    return "within tolerance" if kept else "outside tolerance"


def compare_sections(document: str, read: Callable[[str], pd.DataFrame]) -> list[Section]:
    """Each section (`## title`) of a document with lookups beside a run.

    A section whose tolerances are goals of `findings.py` is within tolerance where every goal that held in the document's
    run holds in this one; another where its numbers differ by at most 5 %, or whole numbers by 3. Times are not compared.

    Parameters
    ----------
    document : text with lookups, as `documents.fill` wrote it. read : file -> its table, of the run.

    Raises
    ------
    DocumentError
        A lookup cannot be answered from the run.
    """
    sections = []
    for part in re.split(r"^## ", document, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        pairs = [
            (lookup, expected.strip(), answer(lookup, read(lookup.file)).strip())
            for lookup, expected in list_lookups(body)
            if TIMED not in lookup.shown
        ]
        if pairs:
            differ = tuple((before, after) for _, before, after in pairs if before != after)
            sections.append(Section(title.strip(), len(pairs), differ, _judge(pairs)))
    return sections
