"""A training image is found in a generation wherever it lies, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from made_evidence import SEARCH, SIZE, image

from verbatim.evidence.matching import Search, residual_of, trimmed_residuals
from verbatim.evidence.placements import (
    SearchSettings,
    background,
    canvas,
    list_placements,
    place,
    soften,
    windows,
)
from verbatim.io.images import resize

SETTINGS = SearchSettings(size=SIZE, **SEARCH)


def settings(**changes):
    return SearchSettings(**{"size": SIZE, **SEARCH, **changes})


def padded(own):
    out = np.ones_like(own)
    out[3:29, 2:28] = resize(own, 26, 26)
    return out


CHANGED = {
    "as it is": lambda own: own,
    "cropped": lambda own: resize(own[2:28, 4:30], SIZE, SIZE),
    "padded": padded,
    "flipped": lambda own: own[:, ::-1],
    "shifted": lambda own: np.concatenate([own[:, 5:], np.ones((SIZE, 5, 3))], axis=1),
    "with a moved patch": lambda own: np.concatenate([own[:6], own[20:24], own[10:]]),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_copy_lies_far_nearer_than_any_other_image(change):
    search = Search(SETTINGS)
    made = [CHANGED[change](image(1)), *(image(seed) for seed in range(2, 40))]
    found = search.compare([image(1)], search.prepare(np.stack(made).astype(np.float32)))
    assert found.residual[0] < 0.5 * found.residual[1:].min()
    assert found.flip[0] == (change == "flipped")


def test_the_placement_that_is_found_is_where_the_image_was_put():
    search = Search(SETTINGS)
    found = search.compare([image(1)], search.prepare(padded(image(1))[None]))
    assert abs(found.side[0] - 26) <= 2
    assert abs(found.top[0] - 3) <= 2
    assert abs(found.left[0] - 2) <= 2


def test_the_residual_of_a_known_placement_is_that_of_the_search():
    search = Search(SETTINGS)
    made = np.stack([padded(image(1)), image(1)[:, ::-1], image(7)]).astype(np.float32)
    found = search.compare([image(1)], search.prepare(made))
    near = found.residual <= SETTINGS.refine
    assert near[:2].all()
    for i in np.flatnonzero(near):
        at = {name: getattr(found, name)[i] for name in ("side", "top", "left", "flip")}
        assert residual_of(made[i], image(1), at, SETTINGS) == pytest.approx(
            found.residual[i], abs=1e-6
        )


def test_the_best_of_several_squares_of_a_image_counts():
    search = Search(SETTINGS)
    made = search.prepare(image(1)[None])
    found = search.compare([image(2), image(1)], made)
    assert found.base[0] == 1
    assert found.residual[0] == search.compare([image(1)], made).residual[0]


def test_a_pair_gets_the_same_residual_in_any_company():
    search = Search(SETTINGS)
    made = np.stack([CHANGED["cropped"](image(1)), image(5), image(6)]).astype(np.float32)
    together = search.compare([image(1)], search.prepare(made))
    for i in range(3):
        alone = search.compare([image(1)], search.prepare(made[i][None]))
        np.testing.assert_allclose(alone.residual[0], together.residual[i], rtol=1e-4)


@pytest.mark.slow
def test_the_coarse_search_chooses_what_a_loop_over_all_placements_chooses():
    chosen = settings(size=12, coarse=12, scales=[0.75, 1.0, 1.3], refine=1e-9, blur=0, window=3)
    search, places = Search(chosen), list_placements(chosen)
    own, made = (
        image(1, 12),
        np.stack([image(1, 12)[:, ::-1] * 0.9, image(2, 12), image(3, 12)]),
    )
    found = search.compare([own], search.prepare(made))
    fill = background(own)
    for i, generation in enumerate(made - fill):
        best, at = np.inf, None
        for flip in (False, True):
            for side, top, left in zip(places.side, places.top, places.left, strict=True):
                placed, mask = place(own, 12, side, top, left, flip)
                whole = canvas(own, side, flip, 12, fill)
                t, g = (placed - fill)[mask], generation[mask]
                if (t**2).sum() < chosen.visible * (whole**2).sum():
                    continue
                whole_inside = (t**2).sum() >= 0.999 * (whole**2).sum()
                if not whole_inside and (g**2).sum() < chosen.visible * (generation**2).sum():
                    continue
                score = ((g - t) ** 2).sum() / ((g**2).sum() + (t**2).sum())
                if score < best - 1e-6:
                    best, at = score, (flip, side, top, left)
        assert at == (found.flip[i], found.side[i], found.top[i], found.left[i])


def test_the_residual_is_that_of_the_structure_about_the_best_share_of_the_telling_pixels():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 1, 3, 8, 8)).astype(np.float32)
    b[0, :, :3] = a[0, :, :3] = 0.05  # background in both tells nothing
    mask = np.ones((1, 8, 8), dtype=bool)
    mask[0, :, 7] = False
    chosen = settings(size=8, coarse=8, share=0.75, window=3)
    residual, area = trimmed_residuals(a, b, mask, chosen)
    wide = [np.pad(p[0].astype(float), ((0, 0), (1, 1), (1, 1)), mode="edge") for p in (a, b)]
    errors = []
    for y in range(8):
        for x in range(8):
            g, t = (p[:, y : y + 3, x : x + 3].reshape(3, -1) for p in wide)
            var = g.var(axis=1).sum() + t.var(axis=1).sum()
            cov = (
                ((g - g.mean(axis=1, keepdims=True)) * (t - t.mean(axis=1, keepdims=True)))
                .mean(axis=1)
                .sum()
            )
            departs = max(abs(a[0, :, y, x]).max(), abs(b[0, :, y, x]).max()) > 0.1
            if mask[0, y, x] and departs:
                errors.append(max(0.0, 1 - (2 * cov + 0.03) / (var + 0.03)))
    kept = sorted(errors)[: int(np.ceil(0.75 * len(errors)))]
    assert residual[0] == pytest.approx(np.sqrt(np.mean(kept)), rel=1e-4)
    assert area[0] == len(errors) / 64


def test_plain_areas_of_one_colour_are_no_match_of_what_is_drawn_on_them():
    plain = np.ones((SIZE, SIZE, 3), np.float32)
    plain[6:26, 6:26] = [0.8, 0.2, 0.1]
    drawn = plain.copy()
    drawn[12:19, 14:18] = 1.0
    search = Search(SETTINGS)
    found = search.compare([drawn], search.prepare(np.stack([plain, drawn])))
    assert np.sqrt(((plain - drawn) ** 2).mean()) < 0.12  # the labels' distance calls them one
    assert found.residual[0] > 0.25 > 0.01 > found.residual[1]


def test_two_blank_images_are_no_match():
    search = Search(SETTINGS)
    white = np.ones((1, SIZE, SIZE, 3), dtype=np.float32)
    assert search.compare([white[0]], search.prepare(white)).residual[0] == np.inf


def test_a_window_sees_the_image_where_it_was_put():
    own = image(3, 8)
    drawn = canvas(own, 8, False, 8, np.zeros(3, np.float32))
    seen = windows(drawn, 8, np.array([0, 2]), np.array([0, -3]))
    np.testing.assert_array_equal(seen[0], own.transpose(2, 0, 1))
    np.testing.assert_array_equal(seen[1][:, 2:, :5], own.transpose(2, 0, 1)[:, :6, 3:])
    assert not seen[1][:, :2].any()
    assert not seen[1][:, :, 5:].any()


def test_smoothing_is_the_weighted_mean_of_neighbours_and_keeps_a_plain_image():
    own = image(3, 8)
    wide = np.pad(own, ((1, 1), (1, 1), (0, 0)), mode="edge").astype(float)
    weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
    naive = sum(weights[y, x] * wide[y : y + 8, x : x + 8] for y in range(3) for x in range(3))
    np.testing.assert_allclose(soften(own, 1), naive, atol=1e-6)
    assert soften(own, 0) is own
    np.testing.assert_allclose(soften(np.full((5, 5, 3), 0.3, np.float32), 3), 0.3, atol=1e-6)
