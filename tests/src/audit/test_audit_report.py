"""What is handed on: page, tables, JSON, exit code; and what privacy hides of it."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from verbatim.audit.audit_report import (
    AuditFailedError,
    cards,
    check_share,
    embed,
    public_table,
    rates,
    render_page,
    sentence,
    summarize,
    to_json,
)
from verbatim.io.privacy import Privacy

ROOT = Path(__file__).resolve().parents[3]

PAGE = (ROOT / "workflow/report/audit/page.html").read_text("utf-8")
EVIL = "<script>alert(1)</script> & co"


def tables():
    images = pd.DataFrame(
        {
            "image": [0, 1, 2, 3], "file": ["a.png", EVIL, "c.png", "d.png"], "sha256": ["aa", "bb", "cc", ""],
            "caption": ["one", "two", "three", ""], "prompt_id": [10, 11, 12, 13], "owner": ["Ada", "Ada", "", ""],
            "control": [False, False, True, False], "url": ["https://example.org/a", "", "", ""],
            "width": 64, "height": 64, "duplicate_of": [-1, -1, -1, -1],
            "status": ["ok", "ok", "ok", "not_tested"], "reason": ["", "", "", "too small"],
        }
    )  # fmt: skip
    verdicts = pd.DataFrame(
        {
            "image": [0, 1, 2, 3], "verdict": ["given_back", "in_part", "no_copy", "not_tested"],
            "how": ["exact", "crop", "", ""], "reason": ["", "", "", "too small"], "n": [10, 10, 10, 0],
            "n_back": [7, 1, 0, 0], "rate_low": [0.3, 0.01, 0.0, np.nan], "rate_high": [0.9, 0.4, 0.26, np.nan],
            "prompt_id": [10, 11, 12, -1], "seed": [3, 1, 0, -1], "distance": [0.05, 0.1, 0.3, np.nan],
            "p": [0.001, 0.002, 0.4, np.nan], "q": [0.002, 0.004, 0.4, np.nan],
        }
    )  # fmt: skip
    return images, verdicts


def public(privacy=None):
    return public_table(*tables(), {10: "one", 11: "two", 12: "three"}, privacy or Privacy())


def page(privacy=None, words=None):
    table = public(privacy)
    summary = summarize(table, 0.95)
    told = {
        "closed": False, "date": "2026-01-01", "model": {"model": "m", "source": EVIL, "revision": ""}, "weights": {"unet": "ff"},
        "settings": {"generations": 10, "thresholds": {"mv": 0.12}, "alpha": 0.01, "part": 0.15, "confidence": 0.95, "size": 64,
                     "sampler": "euler", "steps": 8, "guidance": 3.0, "seeded": True},
        "cost": {"network_rows": 1000, "minutes": 2.0}, "code": {"version": "0.0.7", "git_commit": "c0", "git_changed": False},
        "summary": summary,
    }  # fmt: skip
    shown = cards(table, 10, 0.95, lambda row: {"image": embed(np.ones((8, 8, 3)))}, words or {})
    owners = [
        {"owner": EVIL, "images": 2, "tested": 2, "given_back": 1, "in_part": 1, "share": 0.5, "low": 0.1, "high": 0.9,
         "controls": 0, "p": np.nan, "q": np.nan, "note": "no controls"},
    ]  # fmt: skip
    return render_page(
        PAGE, told=told, owners=owners, lines=rates(summary), table=table.to_dict("records"),
        cards=shown, privacy=privacy or Privacy(),
    )  # fmt: skip


def test_nothing_of_the_users_becomes_code_of_the_page():
    text = page()
    assert "<script" not in text
    assert html.escape("<script>alert(1)</script>") in text


def test_words_are_marked_by_what_they_weigh_and_only_beside_what_was_given_back():
    words = {10: [("red", 0.25), (EVIL, 1.0)], 12: [("nothing", 1.0)]}
    text = page(words=words)
    assert '<mark style="--w: 0.15" title="0.25">red</mark>' in text
    assert html.escape(EVIL) in text
    assert EVIL not in text
    assert "nothing</mark>" not in text
    assert "Words that trigger" not in page()


def test_the_clearest_verdicts_come_first_and_the_untested_last():
    assert public()["verdict"].tolist() == ["given_back", "in_part", "no_copy", "not_tested"]


def test_controls_are_counted_apart_with_exact_bounds():
    summary = summarize(public(), 0.95)
    assert (summary["images"]["tested"], summary["images"]["given_back"]) == (2, 1)
    assert (summary["controls"]["tested"], summary["controls"]["given_back"]) == (1, 0)
    assert summary["controls"]["high"] == pytest.approx(0.95)
    said = " ".join(rates(summary))
    assert "1 of 2 tested images were given back" in said
    assert "0 of 1 tested control images" in said


def test_a_verdict_is_said_with_its_rate():
    one, two, three, four = (sentence(row, 0.95) for row in public().to_dict("records"))
    assert "in 7 of 10 generations" in one
    assert "30 % to 90 %" in one
    assert "a crop of it" in two
    assert "None of 10" in three
    assert "fewer than 26 %" in three
    assert four == "Not tested: too small."


@pytest.mark.parametrize("level", ["blurred", "none"])
def test_privacy_hides_digests_and_addresses(level):
    table = public(Privacy(level))
    assert set(table["sha256"]) | set(table["url"]) == {""}
    assert "example.org" not in page(Privacy(level))
    only = public(Privacy(level, frozenset({11})))
    assert only.set_index("file").loc["a.png", "url"] == "https://example.org/a"


def test_the_exit_code_depends_on_the_share_of_images_without_the_controls():
    told = {"summary": summarize(public(), 0.95)}
    assert "1 of 2" in check_share(told, 0.5)
    with pytest.raises(AuditFailedError, match=r"1 of 2 .* more than the share 0\.4"):
        check_share(told, 0.4)
    told["summary"]["images"] |= {"tested": 0, "given_back": 0}
    assert check_share(told, 0.0)


def test_json_has_no_number_that_is_none():
    text = json.dumps(
        to_json({"a": np.nan, "b": [np.float64(0.5), np.int32(3), np.bool_(True)]}), allow_nan=False
    )
    assert json.loads(text) == {"a": None, "b": [0.5, 3, True]}


def test_an_image_is_embedded_small_and_a_hidden_one_not_at_all():
    assert embed(None) == ""
    assert embed(np.zeros((64, 64, 3))).startswith("data:image/png;base64,")
    large = embed(np.random.default_rng(0).random((900, 600, 3)).astype(np.float32))
    assert large.startswith("data:image/jpeg;base64,")
    assert len(large) < 200_000
