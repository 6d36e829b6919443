"""A finding of an audit has the p-value of its own pair, or none, so that whoever replays its bundle finds the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_evidence import GUARDS, MASK, ORDER, SEARCH, SIZE, image

from verbatim.audit.given_back import FindingSettings, choose_findings, describe_finding
from verbatim.evidence.bundle_null import null_file, null_residuals, read_null, replay_null
from verbatim.evidence.placements import SearchSettings
from verbatim.evidence.rules import Rules
from verbatim.evidence.statements import Finding
from verbatim.labels.label import LabelSettings
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings

LIMITS = {"MV": 0.12, "RV": 0.12, "TV": 0.12}
SETTINGS = FindingSettings(
    LabelSettings("paper", LIMITS, ORDER, MaskSettings(**MASK), GuardSettings(**GUARDS)),
    SIZE, SearchSettings(size=SIZE, **SEARCH), 0.05,
)  # fmt: skip
RULES = Rules(
    "paper", SIZE, tuple(ORDER), LIMITS, MASK, SETTINGS.label.guards, SETTINGS.search, 0.05, 0.25, 2
)
RESIDUALS = [0.8, 0.9, 1.0, 1.1]  # of unrelated captions, of this image
NULL = read_null(null_file([0.2, 0.5], [null_residuals(RESIDUALS)]), RULES)


def found(relative_of_image):
    """The row of `verification` of image 0, given back by prompt 7, whose pair has the residual 0.08."""
    verdicts = pd.DataFrame(
        {"image": [0], "verdict": ["given_back"], "prompt_id": [7], "p": [0.2], "q": [0.4]}
    )
    images = pd.DataFrame({"image": [0], "duplicate_of": [-1], "prompt_id": [7]})
    tests = pd.DataFrame({"image": [0], "n_null": [4], "relative": [relative_of_image], "p": [0.2]})
    prompts = pd.DataFrame({"prompt_id": [7], "caption": ["a heart"]})
    (row,) = choose_findings(images, verdicts, tests, prompts).to_dict("records")
    pairs = pd.DataFrame(
        {"image": 0, "prompt_id": 7, "seed": [0], "partner": -1, "residual": 0.08, "relative": 0.1,
         "placed_crop": "whole", "flip": False, "side": 1.0, "top": 0.0, "left": 0.0}
    )  # fmt: skip
    made = {0: image(0)}
    _, verification, _ = describe_finding(row, pairs, made, image, {0: "a heart"}, SETTINGS)
    return verification


def replay(verification):
    plain = {
        name: None if isinstance(value, float) and np.isnan(value) else value
        for name, value in verification.items()
    }
    null = null_residuals(RESIDUALS) if plain["image"] >= 0 else ()
    finding = Finding("findings/7", 7, "a heart", "full", {}, plain, [], [], {}, {}, {}, null)
    return [one.fault for one in replay_null(finding, NULL, RULES) if one.fault]


def test_the_images_own_pair_has_its_p_and_q_and_both_follow_from_the_null():
    row = found(relative_of_image=0.1)
    assert (row["status"], row["p"], row["q"], row["image"]) == ("ok", 0.2, 0.4, 0)
    assert replay(row) == []
    assert replay(row | {"p_pair": 0.1})
    assert replay(row | {"q": 0.01})


def test_where_another_caption_gives_the_image_back_more_nearly_a_finding_has_no_p():
    row = found(relative_of_image=0.01)
    assert (row["status"], row["image"], row["verified"]) == ("no null", -1, False)
    assert np.isnan([row["p_pair"], row["p"], row["q"]]).all()
    assert row["relative"] == pytest.approx(0.1)
    assert replay(row) == []
