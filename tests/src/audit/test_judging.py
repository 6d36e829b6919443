"""From distances and p-values to what is said of an image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from verbatim.audit.judging import VerdictSettings, judge_images
from verbatim.io.records import to_table

SETTINGS = VerdictSettings(
    whole=0.12, template=0.12, part=0.15, alpha=0.01, most_p=0.05, confidence=0.95
)
FAR = {
    "crop": "whole", "doubt": "", "masked": np.nan, "masked_crop": "", "partner": -1, "partner_crop": "",
    "mask_area": np.nan, "masked_doubt": "", "residual": 0.7, "relative": 1.0, "placed_crop": "whole",
    "flip": False, "side": 1.0, "top": 0.0, "left": 0.0, "visible": 1.0, "overlap": 0.4,
}  # fmt: skip


def images(n, **changes):
    rows = [
        {"image": i, "status": "ok", "reason": "", "duplicate_of": -1} | changes.get(f"i{i}", {})
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def pairs(*of_image):
    """One list of pairs an image; each pair says how it differs from one that is far away."""
    return pd.DataFrame(
        [
            {"image": i, "prompt_id": 100 + i, "seed": seed, "distance": 0.4} | FAR | pair
            for i, some in enumerate(of_image)
            for seed, pair in enumerate(some)
        ]
    )


def p_values(*p):
    return pd.DataFrame(
        {"image": range(len(p)), "relative": [1.0] * len(p), "n_unrelated": 20, "reason": "", "n_null": 1000, "p": p}
    )  # fmt: skip


def judged(images, pairs, tests):
    table = judge_images(images, pairs, tests, SETTINGS)
    to_table("audit_verdicts", table)
    return table.to_dict("records")


def test_an_image_within_the_threshold_is_given_back_with_the_rate_of_its_generations():
    (one,) = judged(
        images(1), pairs([{"distance": 0.1}, {"distance": 0.05}, {}, {}]), p_values(0.001)
    )
    assert (one["verdict"], one["how"]) == ("given_back", "exact")
    assert (one["n_back"], one["n"], one["seed"], one["prompt_id"]) == (2, 4, 1, 100)
    assert one["distance"] == 0.05
    assert 0 < one["rate_low"] < 0.5 < one["rate_high"] < 1


def test_no_copy_comes_with_the_upper_bound_of_its_rate():
    (one,) = judged(images(1), pairs([{}] * 10), p_values(0.6))
    assert (one["verdict"], one["n_back"]) == ("no_copy", 0)
    assert one["rate_high"] == pytest.approx(1 - 0.05**0.1)
    assert one["rate_low"] == 0


def test_a_mirrored_copy_is_whole_and_a_crop_is_a_part():
    mirrored = {"flip": True, "overlap": 0.05, "relative": 0.1}
    crop = {"visible": 0.6, "overlap": 0.05, "side": 1.4, "relative": 0.1}
    one, other = judged(images(2), pairs([mirrored], [crop]), p_values(0.001, 0.001))
    assert (one["verdict"], one["how"]) == ("given_back", "mirrored")
    assert (other["verdict"], other["how"]) == ("in_part", "crop")


def test_a_placement_that_unrelated_images_reach_too_is_no_copy():
    """The best of hundreds of placements is near by chance; the whole image at its own place is not searched for."""
    placed = {"side": 0.75, "overlap": 0.115}
    one, other = judged(images(2), pairs([placed], [{"distance": 0.115}]), p_values(0.02, 0.02))
    assert one["verdict"] == "no_copy"
    assert other["verdict"] == "given_back"


def test_a_template_and_a_region_are_parts():
    template = {"masked": 0.05, "masked_crop": "whole", "partner": 1}
    region = {"relative": 0.1, "overlap": 0.14}
    one, other = judged(images(2), pairs([template], [region]), p_values(0.03, 0.001))
    assert (one["verdict"], one["how"], one["distance"]) == ("in_part", "template", 0.05)
    assert (other["verdict"], other["how"]) == ("in_part", "region")


def test_what_is_like_by_chance_alone_is_no_part():
    """A p-value tells that two are alike for unrelated images; how far apart they are is asked too."""
    (one,) = judged(
        images(1), pairs([{"relative": 0.1, "overlap": 0.28, "visible": 0.6}]), p_values(0.0001)
    )
    assert one["verdict"] == "no_copy"


def test_a_match_that_means_nothing_is_no_verdict():
    doubted = {"distance": 0.05, "doubt": "generation: flat"}
    one, other = judged(images(2), pairs([doubted], [{"distance": 0.05}]), p_values(0.001, 0.4))
    assert one["verdict"] == other["verdict"] == "not_tested"
    assert "generation: flat" in one["reason"]
    assert "unrelated generations come as near" in other["reason"]


def test_without_unrelated_captions_a_whole_copy_still_counts_and_a_part_does_not():
    one, other = judged(
        images(2),
        pairs([{"distance": 0.05}], [{"relative": 0.1, "overlap": 0.14}]),
        p_values(np.nan, np.nan),
    )
    assert one["verdict"] == "given_back"
    assert np.isnan(one["p"])
    assert other["verdict"] == "no_copy"


def test_a_duplicate_has_the_verdict_of_the_first_and_the_untested_their_reason():
    table = images(3, i1={"duplicate_of": 0}, i2={"status": "not_tested", "reason": "too small"})
    one, two, three = judged(table, pairs([{"distance": 0.05}]), p_values(0.001))
    assert one["verdict"] == two["verdict"] == "given_back"
    assert (three["verdict"], three["reason"]) == ("not_tested", "too small")


@pytest.mark.slow
def test_of_many_unrelated_images_hardly_one_is_called_a_part():
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(5):
        p, near = rng.random(200), {"overlap": 0.1, "visible": 0.6}
        table = judge_images(images(200), pairs(*[[near]] * 200), p_values(*p), SETTINGS)
        found += table["verdict"].eq("in_part").sum()
    assert found <= 1


def test_an_image_whose_generations_are_all_missing_is_not_tested_and_the_first_reason_is_told():
    tests = p_values(0.001, np.nan).assign(
        reason=["", "refused: moderation: content_policy_violation"]
    )
    _, other = judged(images(2), pairs([{}], []), tests)
    assert other["verdict"] == "not_tested"
    assert "can be read: refused: moderation: content_policy_violation" in other["reason"]
