"""Scenes for a copy descriptor: drawings that training and pairs do not share, and pairs that are what they say."""

import numpy as np
import pandas as pd
import pytest

from verbatim.world.descriptor_scenes import (
    COPIES,
    PAIRS,
    draw_fresh,
    draw_pairs,
    score_pairs,
    split_drawings,
)


@pytest.fixture(scope="module")
def drawings() -> np.ndarray:
    """Seven opaque drawings of one colour each."""
    colours = np.random.default_rng(0).integers(0, 256, (7, 1, 1, 3), dtype=np.uint8)
    opaque = np.full((7, 12, 12, 1), 255, np.uint8)
    return np.concatenate([np.broadcast_to(colours, (7, 12, 12, 3)), opaque], 3)


@pytest.fixture(scope="module")
def pairs(drawings):
    return draw_pairs(drawings, 10, 16, 5)


def test_training_and_pairs_have_no_drawing_in_common(drawings):
    kinds = ["single", "single", "full", "held_out", "paraphrase", "single", "template"]
    plan = pd.DataFrame({"kind": kinds, "drawing": [3, 1, 0, 2, 6, 3, 5]})
    found = split_drawings(plan, drawings)
    np.testing.assert_array_equal(found.trained, drawings[[1, 3]])
    np.testing.assert_array_equal(found.held_out, drawings[[2, 6]])


def test_fresh_scenes_are_all_different_and_decided_by_the_seed(drawings):
    found = draw_fresh(drawings, 20, 16, 5)
    assert found.shape == (20, 16, 16, 3)
    assert len({one.tobytes() for one in found}) == 20
    np.testing.assert_array_equal(found, draw_fresh(drawings, 20, 16, 5))
    assert (found != draw_fresh(drawings, 20, 16, 6)).any()


def test_every_kind_has_as_many_pairs_of_the_same_drawings(pairs):
    assert pairs.kind.tolist() == [kind for kind in PAIRS for _ in range(10)]
    assert pairs.drawing.tolist() == [i % 7 for i in range(10)] * len(PAIRS)
    assert pairs.first.shape == pairs.second.shape == (50, 16, 16, 3)


def test_copies_are_nearer_than_scenes_and_no_pair_is_an_image_twice(pairs):
    apart = np.sqrt(((pairs.first / 255.0 - pairs.second / 255.0) ** 2).mean((1, 2, 3)))
    mean = {kind: apart[pairs.kind == kind].mean() for kind in PAIRS}
    assert mean["distorted"] < mean["template"] < mean["unrelated"]
    assert mean["distorted"] < mean["augmented"]
    assert (apart[~np.isin(pairs.kind, COPIES)] > 0).all()
    first = pairs.first.reshape(len(PAIRS), 10, -1)
    for kind, images in zip(PAIRS, first, strict=True):
        assert (kind == "template") == bool((images != first[0]).any())


def test_one_drawing_makes_no_unrelated_pairs(drawings):
    with pytest.raises(ValueError, match="1 drawings; pairs of unrelated scenes take two"):
        draw_pairs(drawings[:1], 3, 16, 5)


def test_scores_are_dot_products_and_normalized_by_the_nearest_of_the_background(pairs):
    axes = np.random.default_rng(1).normal(size=(768, 4))

    def describe(images: np.ndarray) -> np.ndarray:
        vectors = (images.reshape(len(images), -1) / 255.0 - 0.5) @ axes
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    background = np.random.default_rng(2).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    a, b = describe(pairs.first), describe(pairs.second)
    table = score_pairs("toy", pairs, a, b, describe(background))
    raw = (a * b).sum(1)
    nearest = np.sort(b @ describe(background).T, axis=1)[:, -3:].mean(1)
    by = table.set_index("normalized")["similarity"]
    np.testing.assert_allclose(by[False], raw, atol=1e-5)
    np.testing.assert_allclose(by[True], raw - nearest, atol=1e-5)
    assert set(table["descriptor"]) == {"toy"}
    assert (
        table.groupby(["normalized", "pair"])["number"]
        .apply(list)
        .map(lambda numbers: numbers == list(range(10)))
        .all()
    )
