"""Other people's text on one line, safe to show in figures and wherever a program lays out text."""

from __future__ import annotations

import unicodedata

BOX = "□"


def one_line(text: str) -> str:
    """A text on one line without what cannot be seen.

    White space of every kind is one space. Format characters (zero width, marks and overrides of direction, byte order marks)
    have no shape and can change how their neighbours look: they are left out. Control characters, halves of surrogate
    pairs and characters without a meaning are a box.
    """
    out = []
    for char in " ".join(text.split()):
        kind = unicodedata.category(char)
        if kind != "Cf":
            out.append(BOX if kind in ("Cc", "Cs", "Co", "Cn") else char)
    return " ".join("".join(out).split())
