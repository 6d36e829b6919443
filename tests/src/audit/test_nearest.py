"""Distances, placements and p-values of an image and the generations of captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from verbatim.audit.nearest import Blocks, NearSettings, compare_placed, compare_whole
from verbatim.audit.related_images import relate_images
from verbatim.audit.screening import small_square
from verbatim.evidence.matching import Search
from verbatim.evidence.null import relative_null, relative_residuals
from verbatim.evidence.placements import SearchSettings
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings

ROOT = Path(__file__).resolve().parents[3]

CONFIG = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))
SIZE = 32
SEARCH = Search(SearchSettings(size=SIZE, **CONFIG["evidence"]["search"]))
SETTINGS = NearSettings(
    {"mv": 0.12, "tv": 0.12}, GuardSettings(**CONFIG["labels"]["guards"]), 12, 5, 0.25
)
MASK = MaskSettings(**CONFIG["labels"]["mask"])


def scene(seed, size=SIZE):
    """A smooth scene of many colours: shapes at half the size, made larger."""
    coarse = np.random.default_rng(seed).random((size // 4, size // 4, 3), dtype=np.float32)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def template(seed, fill):
    image = scene(seed)
    image[8:20, 8:20] = scene(fill)[8:20, 8:20]
    return image


def test_the_nearest_crop_and_a_mask_decide_a_distance():
    own, other = template(1, 2), template(1, 3)
    found = relate_images(
        np.stack([small_square(one) for one in (own, other)]), np.arange(2),
        lambda i: {"whole": (own, other)[i]}, MASK,
    )  # fmt: skip
    assert found.family[0] == found.family[1]
    (partner,) = found.partners[0]
    assert partner.other == 1
    assert not partner.mask[10:18, 10:18].all()
    made = np.stack([own, template(1, 9), scene(8)])
    same, of_template, far = compare_whole(
        made, {"squash": scene(7), "center": own}, [partner._replace(crop="center")], SETTINGS
    )
    assert (same["distance"], same["crop"]) == (pytest.approx(0, abs=1e-6), "center")
    assert of_template["distance"] > 0.12
    assert of_template["masked"] == pytest.approx(0, abs=1e-6)
    assert of_template["partner"] == 1
    assert min(far["distance"], far["masked"]) > 0.12


def test_images_that_share_nothing_are_no_family():
    images = [scene(seed) for seed in range(4)]
    found = relate_images(
        np.stack([small_square(one) for one in images]), np.arange(4), lambda i: {"whole": images[i]}, MASK
    )  # fmt: skip
    assert found.family.tolist() == [0, 1, 2, 3]
    assert found.partners == [[], [], [], []]


def test_a_match_of_a_plain_generation_is_doubted():
    flat = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    nearly = flat + np.float32(0.02) * scene(1)
    (row,) = compare_whole(nearly[None], {"whole": flat}, [], SETTINGS)
    assert "flat" in row["doubt"]


@pytest.fixture(scope="module")
def blocks():
    """Twenty captions of three generations; those of caption 0 hold a mirrored copy of another scene."""
    fine = np.stack([[scene(10 * c + k) for k in range(3)] for c in range(1, 21)])
    fine[0, 1] = scene(5000)[:, ::-1]
    return Blocks(SEARCH, fine.astype(np.float32), np.ones((20, 3), dtype=bool))


def test_a_mirrored_copy_among_the_generations_of_its_caption_stands_out(blocks):
    related = np.arange(20) == 0
    rows, relative, null, residuals = compare_placed(
        blocks, {"whole": scene(5000)}, np.array([0]), related, SETTINGS
    )
    best = min(rows, key=lambda row: row["relative"])
    assert (best["place"], best["flip"]) == (1, True)
    assert best["overlap"] < 0.02
    assert best["visible"] == pytest.approx(1)
    assert len(null) == len(residuals) == 12
    np.testing.assert_array_equal(null, relative_null(residuals, SETTINGS.quantile))
    assert relative == relative_residuals(
        residuals, SETTINGS.quantile, np.array([best["residual"]])
    )
    assert relative < null.min()


def test_an_image_that_no_generation_shows_is_as_near_as_the_unrelated_ones(blocks):
    related = np.arange(20) == 3
    rows, relative, null, residuals = compare_placed(
        blocks, {"whole": scene(555)}, np.array([3]), related, SETTINGS
    )
    assert len(rows) == 3
    assert len(residuals) == 12
    assert relative >= np.quantile(null, 0.02)


def test_with_too_few_unrelated_captions_nothing_is_said(blocks):
    related = np.ones(20, dtype=bool)
    related[:4] = False
    rows, relative, null, residuals = compare_placed(
        blocks, {"whole": scene(5000)}, np.array([5]), related, SETTINGS
    )
    assert np.isinf(relative)
    assert len(null) == 0
    assert len(residuals) == 4
    assert len(rows) == 3


def test_a_generation_that_cannot_be_read_is_compared_with_nothing():
    fine = np.stack([[scene(10 * c + k) for k in range(2)] for c in range(20)]).astype(np.float32)
    readable = np.ones((20, 2), dtype=bool)
    readable[0, 1] = readable[4] = False
    some = Blocks(SEARCH, fine, readable)
    related = np.arange(20) == 0
    rows, _, null, _ = compare_placed(some, {"whole": scene(1)}, np.array([0]), related, SETTINGS)
    assert [row["place"] for row in rows] == [0]
    assert np.isfinite(null).all()
