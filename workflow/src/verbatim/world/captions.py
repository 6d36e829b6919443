"""Captions of the embedded world: one grammar for every training row and every held-out prompt.

A caption is the name of the scene's drawing and two style words. It tells neither the background nor the
place of the drawing, so nothing in the words of a caption tells a duplicated image from any other.
"""

from __future__ import annotations

import numpy as np

STYLE_WORDS = (
    "abstract", "antique", "atmospheric", "baroque", "bohemian", "bold", "bright", "classic",
    "colourful", "contemporary", "cosy", "cute", "decorative", "delicate", "digital", "dreamy",
    "elegant", "ethereal", "expressive", "faded", "fancy", "festive", "glossy", "graphic",
    "handmade", "industrial", "lively", "lush", "matte", "minimal", "modern", "moody",
    "nostalgic", "ornate", "pastel", "playful", "polished", "quirky", "retro", "romantic",
    "rustic", "seasonal", "serene", "stylish", "trendy", "urban", "vintage", "whimsical",
)  # fmt: skip


def make_caption(name: str, first: str, second: str) -> str:
    """The grammar: the drawing's name and two style words."""
    return f"{name} {first} {second}"


def draw_styles(rng: np.random.Generator) -> tuple[str, str]:
    """Two different style words."""
    first, second = rng.choice(len(STYLE_WORDS), 2, replace=False)
    return STYLE_WORDS[first], STYLE_WORDS[second]


def draw_captions(name: str, n: int, rng: np.random.Generator) -> list[str]:
    """`n` different captions of one drawing; at most 48 x 47 exist."""
    if not 0 <= n <= len(STYLE_WORDS) * (len(STYLE_WORDS) - 1):
        raise ValueError(f"{n} captions of one drawing; at most 48 x 47 exist")
    captions: dict[str, None] = {}
    while len(captions) < n:
        captions.setdefault(make_caption(name, *draw_styles(rng)))
    return list(captions)


def draw_family(name: str, n: int, rng: np.random.Generator) -> list[str]:
    """Captions of a template family: one style word for all `n` members and one of its own for each."""
    if not 0 <= n < len(STYLE_WORDS):
        raise ValueError(f"a family of {n} members; at most {len(STYLE_WORDS) - 1}")
    words = [STYLE_WORDS[i] for i in rng.permutation(len(STYLE_WORDS))]
    return [make_caption(name, words[0], word) for word in words[1 : n + 1]]
