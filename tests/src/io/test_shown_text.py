"""Other people's captions in figures: whatever characters they hold, they are drawn, and nothing hides in them."""

from __future__ import annotations

import io
import unicodedata

import matplotlib.pyplot as plt
import pytest
from matplotlib.font_manager import FontProperties, findfont, get_font

from verbatim.figures.style import plain_text, use_style
from verbatim.io.shown_text import one_line

KNOWN = sorted(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())
HOSTILE = [
    "\ufeff", "a\ufeffb", "\u200b" * 9, "a\u200db", "\u202eevil\u202c", "\u2066x\u2069", "\ud800", "a\udfffb", "\x00", "\x1b[2J",
    "$x^2$", r"$\frac{", "a $5 and $6", "%s {x} \\n _^", "مرحبا", "אבג abc", "नमस्ते", "日本", "👨\u200d👩\u200d👧", "Z" + "\u0335" * 500,
    "\u0301", "\ue000", "\U000e0041", "\U0010ffff", "\u2028a\u2029b", "", " ",
]  # fmt: skip


def draw(texts: list[str]) -> None:
    """All texts in one figure, as PNG and PDF."""
    use_style()
    figure = plt.figure(figsize=(4, 4))
    for i, text in enumerate(texts):
        figure.text(0.1, (i + 0.5) / len(texts), text, fontsize=5)
    try:
        for kind in ("png", "pdf"):
            figure.savefig(io.BytesIO(), format=kind)
    finally:
        plt.close(figure)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")
def test_hostile_captions_are_drawn():
    draw([plain_text(text, 80) for text in HOSTILE])


@pytest.mark.slow
def test_every_character_of_the_font_is_drawn_alone_and_in_a_word():
    odd = [c for c in KNOWN if unicodedata.category(chr(c)) not in ("Lu", "Ll", "Lo", "So", "Sm")]
    draw([plain_text("".join(map(chr, odd[i : i + 40])), 100) for i in range(0, len(odd), 40)])
    formats = [c for c in odd if unicodedata.category(chr(c)) in ("Cf", "Cc", "Zs")]
    draw([plain_text(text, 9) for c in formats for text in (chr(c), f"a{chr(c)}b")])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202egnp.exe", "agnp.exe"), ("a\u200bb", "ab"), ("\ufeffa", "a"), (" a\t\r\n\u2028b\xa0", "a b"), ("a\x07b", "a□b"),
        ("\ud83d", "□"), ("\ue000", "□"), ("größer 🐼 日本", "größer 🐼 日本"), ("a \u200b b", "a b"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_left_out_and_what_has_no_meaning_is_a_box(text, shown):
    assert one_line(text) == shown
