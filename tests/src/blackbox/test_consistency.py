"""Seed SSIM beside a loop over windows that is written from the paper's formula."""

import itertools
import math

import numpy as np
import pytest

from verbatim.blackbox.consistency import C1, C2, DEVIATION, RADIUS, seed_ssim


def naive_ssim(a, b):
    """Mean of Wang 2004, eq. 13, over every whole window and channel, a window at a time."""
    one_axis = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / DEVIATION) ** 2)
    weights = np.outer(one_axis, one_axis) / one_axis.sum() ** 2
    side = len(weights)
    found = []
    for y, x, c in itertools.product(
        range(a.shape[0] - side + 1), range(a.shape[1] - side + 1), range(3)
    ):
        p, q = (one[y : y + side, x : x + side, c].astype(float) for one in (a, b))
        mp, mq = (weights * p).sum(), (weights * q).sum()
        vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
        cov = (weights * (p - mp) * (q - mq)).sum()
        found.append((2 * mp * mq + C1) * (2 * cov + C2) / ((mp**2 + mq**2 + C1) * (vp + vq + C2)))
    return np.mean(found)


def drawn(n, shape=(16, 14, 3), seed=0):
    return list(np.random.default_rng(seed).random((n, *shape), dtype=np.float32))


def test_it_is_the_mean_of_a_loop_over_pairs_windows_and_channels():
    images = drawn(3)
    images[1] = (0.7 * images[0] + 0.3 * images[1]).astype(np.float32)
    loop = np.mean([naive_ssim(a, b) for a, b in itertools.combinations(images, 2)])
    assert seed_ssim(images) == pytest.approx(loop, abs=1e-12)


def torchmetrics_ssim(images):
    """By torchmetrics, of whole windows: it also averages windows over a reflected edge, which are cut off."""
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    stack = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    first, second = np.triu_indices(len(images), 1)
    _, full = structural_similarity_index_measure(
        stack[first], stack[second], sigma=DEVIATION, data_range=1.0, return_full_image=True
    )
    return float(full[..., RADIUS:-RADIUS, RADIUS:-RADIUS].mean())


@pytest.mark.parametrize(("n", "shape"), [(2, (11, 11, 3)), (4, (16, 40, 3)), (3, (64, 64, 3))])
def test_it_is_that_of_torchmetrics(n, shape):
    noise = drawn(n, shape)
    alike = [(0.6 * noise[0] + 0.4 * one).astype(np.float32) for one in noise]
    smooth = [np.cumsum(one, axis=1) / np.float32(shape[1]) for one in noise]
    for images in (noise, alike, smooth):
        assert seed_ssim(images) == pytest.approx(torchmetrics_ssim(images), abs=1e-4)


def test_the_same_image_from_every_seed_is_1_and_its_negative_is_below_0():
    one = drawn(1)[0]
    assert seed_ssim([one, one, one]) == pytest.approx(1.0)
    assert seed_ssim([one, 1 - one]) < 0


def test_noise_on_a_common_image_lowers_it_step_by_step():
    common, noise = drawn(1)[0], drawn(4, seed=1)
    values = [
        seed_ssim([np.clip(common + s * (n - 0.5), 0, 1).astype(np.float32) for n in noise])
        for s in (0.0, 0.3, 1.0)
    ]
    assert values[0] > values[1] > values[2]


def test_the_order_of_the_seeds_does_not_matter():
    images = drawn(4)
    assert seed_ssim(images) == pytest.approx(seed_ssim(images[::-1]), abs=1e-12)


def test_one_seed_or_a_image_below_the_window_says_nothing():
    assert math.isnan(seed_ssim([]))
    assert math.isnan(seed_ssim(drawn(1)))
    assert math.isnan(seed_ssim(drawn(2, (10, 32, 3))))
    assert not math.isnan(seed_ssim(drawn(2, (11, 11, 3))))
