"""Which images a prompt is tested against, and which pairs may serve as a null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from verbatim.evidence.pairing import choose_null, pair_images, thumbnails
from verbatim.evidence.placeholders import caption_overlap, find_placeholders

FETCHED = pd.DataFrame(
    {"row": [1, 2, 3, 4, 5, 6, 7], "caption": ["a", "b", "c", "d", "a", "f", "g"], "status": "ok"}
)
IMAGE_OF = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 1}  # rows 2 and 7 show one image


TABLES = {
    "neighbours": pd.DataFrame(
        {"prompt_id": [10, 10, 30], "seed": [4, 0, 0], "order": [0, 1, 0], "row": [7, 9, 3]}
    ),
    "relatives": pd.DataFrame({"row": [1], "relative": [6]}),
    "fetched": FETCHED,
    "clusters": pd.DataFrame({"row": [3, 4], "cluster": [3, 3]}),
}


def paired(nearest: int, **tables: pd.DataFrame):
    prompts = {"prompt_id": [10, 20, 30], "caption": ["a", "b", "x"], "row": [1, 2, -1]}
    readable = np.ones((3, 2), dtype=bool)
    return pair_images(pd.DataFrame(prompts), [0, 4], readable, TABLES | tables, IMAGE_OF, nearest)


@pytest.fixture
def pairing():
    return paired(10)


def test_a_generation_is_tested_against_its_prompts_own_row_and_its_own_neighbours(pairing):
    tested = [[np.flatnonzero(seed).tolist() for seed in prompt] for prompt in pairing.tested]
    assert tested == [[[0], [0, 1]], [[1], [1]], [[2], []]]
    assert pairing.row[0, 1] == 7
    assert pairing.row[1, 1] == 2


def test_a_further_neighbour_is_not_tested_and_is_no_null_either():
    further = TABLES["neighbours"].assign(order=[3, 1, 2])
    near, all_of_them = paired(3, neighbours=further), paired(4, neighbours=further)
    assert [near.tested[0, 1].sum(), all_of_them.tested[0, 1].sum()] == [1, 2]
    np.testing.assert_array_equal(near.related, all_of_them.related)


def test_relatives_cluster_mates_and_rows_of_the_caption_are_no_null(pairing):
    related = [np.flatnonzero(row).tolist() for row in pairing.related]
    assert related == [[0, 1, 4, 5], [1], [2, 3]]


def test_the_null_are_the_unrelated_generations_that_look_most_alike_one_a_prompt():
    rng = np.random.default_rng(0)
    afar, image = rng.random((12, 3, 5)), rng.random(5)
    related = np.arange(12) % 4 == 0
    readable = rng.random((12, 3)) > 0.2
    readable[1] = False
    nearest = {}
    for prompt in range(12):
        for seed in range(3):
            if readable[prompt, seed] and not related[prompt]:
                apart = ((afar[prompt, seed] - image) ** 2).sum()
                nearest[prompt] = min(nearest.get(prompt, (9.0, -1)), (apart, prompt * 3 + seed))
    for most in (4, 99):
        chosen = choose_null(related, afar, readable, image, most)
        assert chosen.tolist() == sorted(at for _, at in sorted(nearest.values())[:most])


def test_a_thumbnail_is_a_vector_of_the_small_image():
    plain = np.full((2, 32, 32, 3), 0.25, np.float32)
    np.testing.assert_allclose(thumbnails(plain), 0.25, atol=1e-6)
    assert thumbnails(plain).shape == (2, 192)
    assert thumbnails(plain[:0]).shape == (0, 192)


NOTICE = [
    "sunset over lisbon", "cheap red shoes", "doctor who poster", "kitchen table oak", "blue whale",
    "company logo 2012",
]  # fmt: skip


def placeholders(captions, n_captions, **changes):
    rows = list(range(len(captions)))
    return find_placeholders(
        pd.DataFrame({"row": rows, "caption": captions}),
        pd.DataFrame({"row": rows, "cluster": 0}),
        pd.DataFrame({"cluster": [0], "n_captions": [n_captions]}),
        dict.fromkeys(rows, 0),
        **{"captions": 20, "overlap": 0.1, **changes},
    )


def test_one_image_under_many_unrelated_captions_is_a_placeholder():
    assert placeholders(NOTICE, 500) == {0}
    assert placeholders(NOTICE, 6) == set()


def test_one_image_under_many_wordings_of_one_caption_is_none():
    wordings = [f"{word} of a red parrot" for word in ("photo", "image", "poster", "print")]
    assert placeholders(wordings, 500) == set()


def test_overlap_is_the_median_share_of_common_words():
    texts = ["a b", "b c", "c d"]
    shares = [1 / 3, 0, 1 / 3]
    assert caption_overlap(texts) == pytest.approx(np.median(shares))
    assert np.isnan(caption_overlap(["same", "same"]))
