"""ECS against scipy's Sobel and a loop over pixels; what a threshold means at each size."""

import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from verbatim.blackbox.ecs import rank_prompts, score_images, seed_consistency
from verbatim.metrics.edges import EdgePreset, edge_consistency, resize_images, sobel_magnitude

REFERENCE = EdgePreset(size=256, sobel="nd", threshold=1.5, agreement=0.5)
PRESETS = {
    "reference": REFERENCE,
    "paper": EdgePreset(256, "plane", 0.375, 0.5),
    "world": EdgePreset(16, "nd", 2.0, 0.5),
}


@pytest.fixture
def images():
    """Four seeds of one smooth image with some noise, of an odd shape."""
    rng = np.random.default_rng(0)
    base = ndimage.gaussian_filter(rng.random((20, 24, 3)), (2, 2, 0)) * 10 - 4.5
    return [
        np.clip(base + 0.05 * rng.standard_normal(base.shape), 0, 1).astype(np.float32)
        for _ in range(4)
    ]


def naive_magnitude(image, sobel):
    if sobel == "nd":
        return np.hypot(ndimage.sobel(image, 0), ndimage.sobel(image, 1)).sum(axis=2)
    planes = [image[:, :, c] for c in range(3)]
    return sum(np.hypot(ndimage.sobel(p, 0), ndimage.sobel(p, 1)) for p in planes)


def naive_ecs(images, preset):
    """Webster 2023, eq. 3, a pixel at a time."""
    maps = []
    for image in images:
        planes = [
            np.asarray(
                Image.fromarray(image[:, :, c]).resize(
                    (preset.size, preset.size), Image.Resampling.LANCZOS
                )
            )
            for c in range(3)
        ]
        resized = np.clip(np.stack(planes, axis=2), 0, 1)
        maps.append(naive_magnitude(resized, preset.sobel) > preset.threshold)
    share = 0
    for y in range(preset.size):
        for x in range(preset.size):
            votes = sum(bool(m[y, x]) for m in maps) / len(maps)
            share += votes > preset.agreement
    return share / preset.size**2


@pytest.mark.parametrize("sobel", ["nd", "plane"])
def test_the_gradient_is_scipys_at_every_pixel_and_border(images, sobel):
    found = sobel_magnitude(np.stack(images), sobel)
    for magnitude, image in zip(found, images, strict=True):
        np.testing.assert_allclose(magnitude, naive_magnitude(image, sobel), atol=1e-5)


def test_scores_equal_a_loop_over_pixels(images):
    found = score_images(images, PRESETS, "world")
    for name, preset in PRESETS.items():
        expected = naive_ecs(images, preset)
        assert 0 < expected < 1
        assert found[f"ecs_{name}"] == pytest.approx(expected, abs=3 / preset.size**2)
    assert found["ecs"] == found["ecs_world"]
    assert (found["n_seeds"], found["preset"]) == (4, "world")


def test_on_grey_the_nd_sobel_is_exactly_four_times_the_plane_one(images):
    grey = np.stack(images)[..., :1].repeat(3, axis=3)
    np.testing.assert_allclose(
        sobel_magnitude(grey, "nd"), 4 * sobel_magnitude(grey, "plane"), rtol=1e-4, atol=1e-4
    )
    scores = score_images(list(grey), PRESETS, "paper")
    assert scores["ecs_reference"] == pytest.approx(scores["ecs_paper"], abs=1e-4)


def test_two_of_four_seeds_do_not_agree_but_three_do():
    edges = np.zeros((4, 10, 10), dtype=bool)
    edges[:2, :5] = True
    edges[:3, 0] = True
    assert edge_consistency(edges, 0.5) == 0.1
    assert edge_consistency(edges[:3], 0.5) == 0.5


def test_a_threshold_is_strict():
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[None, :, None] / 8, (8, 8, 3))
    inner = score_images([ramp], {"world": EdgePreset(8, "nd", 12.0, 0.5)}, "world")
    assert inner["ecs"] == 0  # 96 / 8 is 12, not above it
    assert score_images([ramp], {"world": EdgePreset(8, "nd", 11.9, 0.5)}, "world")["ecs"] == 0.75


def test_what_a_threshold_means_at_each_size_is_what_the_page_says():
    step = np.full((32, 32, 3), 0.2, np.float32)
    step[:, 16:] += 0.3
    slope = np.broadcast_to(np.linspace(0.1, 0.9, 32, dtype=np.float32)[None, :, None], (32, 32, 3))
    rise = 0.8 / 31

    def highest(image, size):
        magnitude = sobel_magnitude(resize_images([image], size), "nd")[0]
        return magnitude[size // 2, size // 4 : -size // 4].max()

    assert highest(step, 32) == pytest.approx(48 * 0.3)
    assert highest(slope, 32) == pytest.approx(96 * rise, rel=1e-3)
    assert highest(step, 256) == pytest.approx(115 / 8 * 0.3, rel=0.05)
    assert highest(slope, 256) == pytest.approx(96 / 8 * rise, rel=0.15)


def test_a_flat_image_scores_0_and_seeds_that_agree_score_more_than_seeds_that_do_not():
    rng = np.random.default_rng(1)
    flat = [np.full((16, 16, 3), 0.5, np.float32)] * 4
    boxes = [np.kron(rng.random((4, 4, 3)), np.ones((4, 4, 1))).astype(np.float32) for _ in "abcd"]
    assert score_images(flat, PRESETS, "world")["ecs"] == 0
    same = score_images([boxes[0]] * 4, PRESETS, "world")
    other = score_images(boxes, PRESETS, "world")
    assert same["ecs"] > 0
    assert same["seed_consistency"] == 0 > other["seed_consistency"]


def test_seed_consistency_is_minus_the_mean_deviation_of_a_pixel():
    images = np.zeros((2, 4, 4, 3), np.float32)
    images[1, 0] = 1.0  # one row of four: deviation 0.5 there
    assert seed_consistency(images) == pytest.approx(-0.125)
    assert math.isnan(seed_consistency(images[:1]))


def test_a_prompt_without_images_has_no_score_and_ranks_last():
    lines = [score_images([], PRESETS, "reference")]
    lines += [score_images([np.zeros((8, 8, 3), np.float32)] * n, PRESETS, "world") for n in (1, 2)]
    table = pd.DataFrame(lines).assign(prompt_id=[1, 2, 3])
    assert math.isnan(lines[0]["ecs"])
    assert lines[0]["n_seeds"] == 0
    assert rank_prompts(table).tolist() == [2, 1, 0]


def test_a_config_without_a_preset_leaves_its_column_empty_and_takes_one_of_its_own():
    images = [np.eye(8, dtype=np.float32)[:, :, None].repeat(3, axis=2)] * 2
    found = score_images(
        images, {"reference": REFERENCE, "mine": EdgePreset(8, "plane", 1, 0)}, "mine"
    )
    assert math.isnan(found["ecs_world"])
    assert found["ecs"] > 0
    assert set(found) == {
        "ecs", "ecs_reference", "ecs_paper", "ecs_world", "seed_consistency", "n_seeds", "preset",
    }  # fmt: skip


def test_presets_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="roberts"):
        EdgePreset(256, "roberts", 1.5, 0.5)
    with pytest.raises(ValueError, match="agreement"):
        EdgePreset(256, "nd", 1.5, 1.0)
    with pytest.raises(ValueError, match=r"blackbox\.preset is 'other'"):
        score_images([], PRESETS, "other")
