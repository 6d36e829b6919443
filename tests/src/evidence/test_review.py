"""The review page's HTML: other people's captions cannot do anything in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from made_evidence import EVIL, image, template_mask

from verbatim.config.decisions import COLUMNS
from verbatim.evidence.panels import label_panels, placed_panels, residual
from verbatim.evidence.review import PageParts, review_page, script_json

FOLDER = Path(__file__).resolve().parents[3] / "workflow/report/review"
PARTS = [(FOLDER / f"page.{kind}").read_text("utf-8") for kind in ("html", "css", "js")]


def page(captions):
    candidates = [
        {"model": "sd1", "prompt_id": str(2**62 + i), "caption": caption, "label": "N"}
        for i, caption in enumerate(captions)
    ]
    row = ["sd1", 2**62, "accept", "</script><b>", "me", "2026-01-31", 2]
    decisions = pd.DataFrame([row], columns=[*COLUMNS, "line"])
    return review_page(PageParts(*PARTS), candidates, {"sd1": "</script>"}, decisions, 32)


def test_no_caption_can_leave_its_element():
    html = page(
        [EVIL, "</script><script>alert(1)</script>", "<!--<script>", "{{ script }} {% raw %}"]
    )
    assert html.count("<script") == html.count("</script>") == 2
    assert "<img" not in html
    assert "<!--" not in html


def test_what_the_page_says_of_a_candidate_survives_the_way():
    captions = [EVIL, "{{ data }}", "tab\tand \\ and 日本語"]
    text = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page(captions), re.S
    )
    data = json.loads(text[1])
    assert [one["caption"] for one in data["candidates"]] == captions
    assert (
        data["candidates"][0]["prompt_id"] == "4611686018427387904"
    )  # no number: JavaScript rounds them
    assert data["decisions"][0] == dict(
        zip(COLUMNS, ["sd1", str(2**62), "accept", "</script><b>", "me", "2026-01-31"], strict=True)
    )


def test_only_the_pages_own_script_and_style_may_run_and_nothing_may_be_fetched():
    html = page(["a"])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy
    for tag, text in (("style", PARTS[1]), ("script", PARTS[2])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert f"<{tag}>{text}</{tag}>" in html
    assert not re.search(r"https?://", html)


def test_a_lone_surrogate_does_not_break_the_page():
    assert script_json({"caption": "\ud800"}).encode("utf-8")


def test_panels_show_generated_training_mask_and_residual():
    a, b = image(1), image(2)
    panels = label_panels(a, b, "whole", template_mask(), 32).astype(int)
    assert panels.shape == (32, 128, 3)
    generated, training, mask, rest = np.split(panels, 4, axis=1)
    np.testing.assert_allclose(generated / 255, a, atol=1e-6)
    np.testing.assert_allclose(training / 255, b, atol=1e-6)
    np.testing.assert_array_equal(mask[:, :, 0] == 255, template_mask())
    np.testing.assert_allclose(rest[:30] / 255, np.abs(a - b)[:30], atol=1e-6)
    assert not rest[30:].any()


def test_placed_panels_show_the_image_where_it_was_found():
    a = image(1)
    at = {"side": 1.0, "top": 4 / 32, "left": 0.0, "flip": True}
    panels = placed_panels(image(2), a, "whole", at, 32)
    _, training, placed, rest = np.split(panels / np.float32(255), 4, axis=1)
    np.testing.assert_allclose(training, a, atol=1e-6)
    np.testing.assert_allclose(placed[4:], a[:28, ::-1], atol=1e-6)
    assert not rest[:4].any()


def test_a_residual_is_black_where_images_agree():
    assert not residual(image(1), image(1)).any()
