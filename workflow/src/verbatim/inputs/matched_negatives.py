"""Negatives for published positives, from captions of the training data: the same template, or the same subject.

A published set compares memorized captions with sentences of another style, so that captions alone tell them apart.
Two kinds of negatives are nearer. Nothing says that their images are not memorized too: a template whose members all
bring back one image is copied by the other members as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from verbatim.metrics.caption_families import WORD, caption_families, near_pairs, words_of

SAME_TEMPLATE, SAME_SUBJECT = "same_template", "same_subject"


def unlisted_captions(pool: Sequence[str], listed: Sequence[str]) -> list[str]:
    """The captions of `pool` that have not the very words of a listed one, each set of words once, in order."""
    seen = {words_of(caption) for caption in listed} | {frozenset[str]()}
    kept = []
    for caption in pool:
        words = words_of(caption)
        if words not in seen:
            seen.add(words)
            kept.append(caption)
    return kept


def match_templates(positives: Sequence[str], pool: Sequence[str], least: float) -> pd.DataFrame:
    """For each positive the nearest caption of the same template with another item.

    The same template: a Jaccard index of the words of `least` or more. Another item: either caption has a word that the
    other lacks, and that of the negative is in no positive of the template's family.

    Parameters
    ----------
    positives, pool : captions; `pool` holds none of the positives
    least : in (0, 1]; also the Jaccard index that makes families of the positives

    Returns
    -------
    positive, negative (positions; each once), overlap (Jaccard index), the nearest pairs first
    """
    family = caption_families(positives, least)
    own = [words_of(caption) for caption in positives]
    theirs: dict[int, frozenset[str]] = {}
    for words, number in zip(own, family.tolist(), strict=True):
        theirs[number] = theirs.get(number, frozenset()) | words
    pairs = near_pairs(positives, pool, least)
    order = np.lexsort((pairs.second, pairs.first, -pairs.jaccard))
    taken: set[int] = set()
    done: set[int] = set()
    chosen = []
    for i, j, overlap in zip(*(x[order].tolist() for x in pairs), strict=True):
        if i in done or j in taken:
            continue
        words = words_of(pool[j])
        if words - theirs[family[i]] and own[i] - words:
            done.add(i)
            taken.add(j)
            chosen.append((i, j, overlap))
    return _matches(chosen)


def match_subjects(
    positives: Sequence[str], pool: Sequence[str], least: float, length: float
) -> pd.DataFrame:
    """For each positive the caption of a similar length that shares the most telling words with it.

    Words count once, and the more the rarer they are among the captions (tf-idf; cosine). A near-duplicate of any positive
    is no such caption. Positives choose one after the other, in order.

    Parameters
    ----------
    positives, pool : captions; `pool` holds none of the positives
    least : Jaccard index from which two captions are near-duplicates, in (0, 1]
    length : most relative difference of the count of words, 0 or more; one word is always allowed

    Returns
    -------
    positive, negative (positions; each once), overlap (Jaccard index of the pair)
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not positives or not pool:
        return _matches([])
    weigh = TfidfVectorizer(token_pattern=WORD, binary=True)
    try:
        every = weigh.fit_transform([*positives, *pool])
    except ValueError:  # no caption has a word
        return _matches([])
    mine, others = every[: len(positives)], every[len(positives) :].T.tocsr()
    count = np.array([len(caption.split()) for caption in [*positives, *pool]])
    free = np.ones(len(pool), bool)
    free[near_pairs(positives, pool, least).second] = False
    chosen = []
    for i, caption in enumerate(positives):
        alike = (mine[[i]] @ others).toarray()[0]
        allowed = np.maximum(1, length * count[i])
        fits = free & (np.abs(count[len(positives) :] - count[i]) <= allowed)
        alike[~fits] = 0.0
        best = int(alike.argmax())
        if alike[best] > 0:
            free[best] = False
            own, theirs = words_of(caption), words_of(pool[best])
            chosen.append((i, best, len(own & theirs) / len(own | theirs)))
    return _matches(chosen)


def _matches(chosen: list[tuple[int, int, float]]) -> pd.DataFrame:
    table = pd.DataFrame(chosen, columns=["positive", "negative", "overlap"])
    return table.astype({"positive": "int64", "negative": "int64", "overlap": "float64"})
