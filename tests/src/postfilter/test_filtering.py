"""Rounds of images over many prompts: early stopping changes the cost and nothing that is decided."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.postfilter.cliques import search_clique
from verbatim.postfilter.filtering import Preset, Rounds, filter_captions
from verbatim.postfilter.tiles import pair_distances

PRESET = Preset(tiles=2, edge=0.1, clique=4)
CAPTIONS = [f"copied {share}" for share in (0, 10, 30, 50, 70, 100)]


class MadeModel:
    """Draws one image a caption with the chance that the caption names, else noise. Counts rows."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], list[int]]] = []

    def draw(self, caption: str, seed: int) -> np.ndarray:
        rng = np.random.default_rng([seed, len(caption), int(caption.split()[1])])
        one = np.random.default_rng(int(caption.split()[1])).integers(0, 256, (8, 8, 3))
        copy = rng.random() * 100 < int(caption.split()[1])
        return (one if copy else rng.integers(0, 256, (8, 8, 3))).astype(np.uint8)

    def __call__(self, captions, seeds):
        self.calls.append((list(captions), list(seeds)))
        images = np.stack([[self.draw(c, s) for s in seeds] for c in captions])
        return images, len(captions) * len(seeds) * 3


def run(**rounds):
    model = MadeModel()
    settings = {"n_images": 16, "first": 4, "stop_early": True} | rounds
    return filter_captions(CAPTIONS, model, PRESET, Rounds(**settings)), model


def test_stopping_early_keeps_the_same_prompts_with_fewer_images():
    early, model = run()
    full, _ = run(stop_early=False)
    assert [one.scores["kept"] for one in early] == [one.scores["kept"] for one in full]
    assert {one.scores["kept"] for one in full} == {True, False}
    assert all(one.scores["certain"] for one in early)
    made = sum(one.scores["n_images"] for one in early)
    assert made < 16 * len(CAPTIONS)
    assert made == sum(len(captions) * len(seeds) for captions, seeds in model.calls)


def test_scores_are_those_of_the_images_that_come_back():
    for one in run()[0]:
        distances = pair_distances(one.images, PRESET.tiles)
        members = search_clique(distances < PRESET.edge).members
        pairs = distances[np.triu_indices(len(distances), 1)]
        assert one.scores["n_images"] == len(one.images)
        assert one.scores["clique_size"] == len(members)
        assert one.scores["mean_distance"] == pytest.approx(pairs.mean(), rel=1e-12)
        assert one.scores["kept"] == (len(members) >= PRESET.clique)


def test_images_lie_by_seed_across_rounds():
    model = MadeModel()
    for caption, one in zip(CAPTIONS, run()[0], strict=True):
        for seed, image in enumerate(one.images):
            assert np.array_equal(image, model.draw(caption, seed))


def test_a_prompt_gets_the_same_in_any_company():
    together = run()[0]
    for caption, one in zip(CAPTIONS, together, strict=True):
        alone = filter_captions([caption], MadeModel(), PRESET, Rounds(16, 4, True))[0]
        assert alone.scores == pytest.approx(one.scores, nan_ok=True)
        assert np.array_equal(alone.images, one.images)


def test_every_prompt_pays_for_its_own_images():
    for one in run()[0]:
        assert one.scores["unet_rows"] == 3 * one.scores["n_images"]


def test_undecided_prompts_of_a_round_share_one_call():
    _, model = run()
    assert model.calls[0] == (CAPTIONS, [0, 1, 2, 3])
    assert model.calls[1][1] == [4, 5, 6, 7]
    assert set(model.calls[1][0]) < set(CAPTIONS)


def test_giving_up_for_lack_of_hope_is_recorded_as_uncertain():
    hopeless, _ = run(futility=0.3)
    first = hopeless[0].scores
    assert (first["kept"], first["certain"]) == (False, False)
    assert first["n_images"] < run()[0][0].scores["n_images"]


class Gaps(MadeModel):
    """Every fifth image of a prompt is missing."""

    def __call__(self, captions, seeds):
        images, rows = super().__call__(captions, seeds)
        gaps = [
            [None if s % 5 == 1 else p for s, p in zip(seeds, of_one, strict=True)]
            for of_one in images
        ]
        return gaps, rows


def test_a_missing_image_is_left_out_and_the_others_keep_their_seeds():
    whole, _ = run(stop_early=False)
    found = filter_captions(CAPTIONS, Gaps(), PRESET, Rounds(16, 4, stop_early=False))
    seeds = [seed for seed in range(16) if seed % 5 != 1]
    for one, all_ in zip(found, whole, strict=True):
        assert (one.seeds, one.missing) == (seeds, [1, 6, 11])
        np.testing.assert_array_equal(one.images, all_.images[seeds])
        distances = pair_distances(one.images, PRESET.tiles)
        assert one.scores["n_images"] == 13
        assert one.scores["clique_size"] == len(search_clique(distances < PRESET.edge).members)
        assert one.scores["certain"]


def test_a_prompt_without_any_image_is_not_kept_and_ends():
    (one,) = filter_captions(
        CAPTIONS[:1],
        lambda captions, seeds: ([[None] * len(seeds)], 1),
        PRESET,
        Rounds(16, 4, True),
    )
    assert one.scores["n_images"] == one.scores["clique_size"] == 0
    assert not one.scores["kept"]
    assert one.missing == list(range(len(one.missing)))
    assert np.isnan(one.scores["clique_distance"])
