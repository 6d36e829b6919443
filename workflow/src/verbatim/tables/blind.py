"""Baselines that read the caption alone and call no model.

If positives and negatives differ in style, such a baseline separates them as well as the detectors do. In a fair
comparison it is near chance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from verbatim.tables.statistics import split_groups

BLIND = ("caption_length", "words", "capitals", "bag_of_words")
# of published sets too: style alone, without the words
SET_BLIND = (*BLIND, "capitalised_words", "style")
FITTED = ("bag_of_words", "style")  # by logistic regression, out of fold


def describe_captions(captions: pd.Series) -> pd.DataFrame:
    """Blind scores of captions: characters, words, share of letters that are capitals."""
    letters = captions.str.count(r"[^\W\d_]").clip(lower=1)
    capitals = captions.map(lambda text: sum(c.isupper() for c in text))
    return pd.DataFrame(
        {
            "caption_length": captions.str.len(),
            "words": captions.map(lambda text: len(text.split())),
            "capitals": capitals / letters,
        },
        index=captions.index,
    ).astype(float)


def predict_from_words(
    captions: pd.Series, is_positive: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """Blind score of each caption by logistic regression on its words, fitted on the other parts.

    A word counts once. L2 penalty of scikit-learn's default strength, classes balanced.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    words = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b")
    return _predict(words, captions, is_positive, part)


def _predict(prepare: Any, captions: Any, is_positive: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Log odds (n,) by logistic regression on what `prepare` makes of `captions`, fitted on the other parts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    out = np.zeros(len(captions))
    for fold in np.unique(part):
        held = part == fold
        if len(set(is_positive[~held])) < 2:
            continue  # nothing to learn from: the fold's captions tie
        model = make_pipeline(prepare, LogisticRegression(max_iter=1000, class_weight="balanced"))
        model.fit(captions[~held], is_positive[~held])
        out[held] = model.decision_function(captions[held])
    return out


def describe_style(captions: pd.Series) -> pd.DataFrame:
    """Seven numbers of a caption that say nothing of its words, float: capital letters, capitalised words (a share of
    the words), logarithms of characters and of words, digits, punctuation marks, characters outside ASCII.
    """
    words = captions.map(str.split)
    capitalised = words.map(lambda some: sum(word[0].isupper() for word in some))
    return pd.DataFrame(
        {
            "capital_letters": captions.map(lambda text: sum(c.isupper() for c in text)),
            "capitalised_words": capitalised / words.str.len().clip(lower=1),
            "log_characters": np.log1p(captions.str.len()),
            "log_words": np.log1p(words.str.len()),
            "digits": captions.str.count(r"\d"),
            "punctuation": captions.str.count(r"[^\w\s]"),
            "non_ascii": captions.map(lambda text: sum(ord(c) > 127 for c in text)),
        },
        index=captions.index,
    ).astype(float)


def predict_from_style(
    captions: pd.Series, is_positive: np.ndarray, part: np.ndarray
) -> np.ndarray:
    """As `predict_from_words`, from `describe_style`, each number scaled to mean 0 and deviation 1."""
    from sklearn.preprocessing import StandardScaler

    return _predict(StandardScaler(), describe_style(captions).to_numpy(), is_positive, part)


def score_words(
    table: pd.DataFrame, is_positive: pd.Series, is_negative: pd.Series, folds: int, seed: int
) -> tuple[pd.Series, pd.Series]:
    """Out-of-fold bag of words of the prompts of one comparison, NaN for all others; and their folds.

    Parameters
    ----------
    table : caption, group; a group is never split between folds
    is_positive, is_negative : bool, one row for each prompt
    """
    either = is_positive | is_negative
    words = pd.Series(np.nan, index=table.index)
    part = pd.Series(0, index=table.index)
    if is_positive.any() and is_negative.any():
        some, target = table[either], is_positive[either].to_numpy()
        part[either] = split_groups(some["group"], target, folds, seed)
        words[either] = predict_from_words(some["caption"], target, part[either].to_numpy())
    return words, part


def rank_in_folds(words: pd.Series, part: pd.Series) -> pd.Series:
    """Share of its fold that a prompt scores above: puts scores of several fits on one scale."""
    return words.groupby(part).rank(pct=True)
