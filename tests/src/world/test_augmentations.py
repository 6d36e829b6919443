"""Augmented views and mixed images: of the image's size, decided by the random numbers alone, and true to their labels."""

import numpy as np
import pytest

from verbatim.world import augmentations
from verbatim.world.augmentations import augment, mix

RNG = np.random.default_rng(0)
OVERLAYS = RNG.integers(0, 256, (3, 24, 24, 4), dtype=np.uint8)
IMAGE = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)


def views(seed: int, n: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([augment(IMAGE, OVERLAYS, rng) for _ in range(n)])


def test_views_are_images_of_the_same_size_and_the_same_for_the_same_numbers():
    before = IMAGE.copy()
    found = views(1)
    assert found.shape == (60, 16, 16, 3)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, views(1))
    assert len({one.tobytes() for one in found}) > 50
    np.testing.assert_array_equal(IMAGE, before)


CHANCES = ("FLIP", "QUARTER", "TEXT", "EMOJI", "TURN", "JITTER", "GREY", "BLUR", "JPEG")


@pytest.mark.parametrize("name", CHANCES)
def test_each_change_by_itself_changes_the_image(monkeypatch, name):
    for other in CHANCES:
        monkeypatch.setattr(augmentations, other, float(other == name))
    monkeypatch.setattr(augmentations, "AREA", (1.0, 1.0))
    monkeypatch.setattr(augmentations, "RATIO", (1.0, 1.0))
    assert any((view != IMAGE).any() for view in views(2, 3))
    monkeypatch.setattr(augmentations, name, 0.0)
    np.testing.assert_array_equal(views(2, 3), np.stack([IMAGE] * 3))


def test_a_mixed_image_shows_both_instances_and_every_other_is_untouched(monkeypatch):
    images = np.arange(40, dtype=np.float32)[:, None, None, None] * np.ones(
        (1, 3, 8, 8), np.float32
    )
    instances = np.arange(40) % 20
    monkeypatch.setattr(augmentations, "MIXED", 0.5)
    found = mix(images, instances, np.random.default_rng(3))
    both = 0
    for i, (image, (one, other)) in enumerate(zip(found.images, found.shown, strict=True)):
        assert one == instances[i]
        if other == one:
            continue
        both += 1
        low, high = sorted((i, *np.flatnonzero(instances == other)[:1]))
        assert image.min() >= min(low, *np.flatnonzero(instances == other)) - 1e-4
        assert image.max() <= max(high, *np.flatnonzero(instances == other)) + 1e-4
        assert (image != images[i]).any()
    assert 5 < both < 35
    monkeypatch.setattr(augmentations, "MIXED", 0.0)
    same = mix(images, instances, np.random.default_rng(3))
    np.testing.assert_array_equal(same.images, images)
    np.testing.assert_array_equal(same.shown, np.stack([instances, instances], 1))
