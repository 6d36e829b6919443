"""The pool of the study, and what a point takes of it."""

import made_sweep
import numpy as np
import pytest

from verbatim.config.sweep_points import GridError
from verbatim.io.records import to_table
from verbatim.sweep.pool import APART, find_distinct, select_pool, take_rows

POINT = made_sweep.POINT
TABLE = made_sweep.images_table()
CODES = dict(zip(TABLE.image_id.tolist(), TABLE.code, strict=True))
DISTINCT = np.arange(len(TABLE)) % 2 == 0


def pool(seed=0, **changes):
    settings = {"duplicated": 2, "held_out": 4, "most": 8} | changes
    return select_pool(TABLE, DISTINCT, **settings, seed=seed)


def take(most=5, **changes):
    return take_rows(pool(), POINT | changes, most, CODES)


def test_the_pool_duplicates_distinct_images_and_holds_some_out_for_everyone():
    found = pool()
    to_table("sweep_pool", found)
    assert sorted(found.image_id) == list(range(16))
    assert DISTINCT[found.image_id[found.planted]].tolist() == [True, True]
    assert found.order[found.planted].tolist() == [0, 1]
    assert found.order[found.held_out].tolist() == [12, 13, 14, 15]
    assert pool(seed=1).image_id.tolist() != found.image_id.tolist()


def test_images_of_a_family_are_left_out():
    table = TABLE.assign(family=["one"] * 3 + list(TABLE.family[3:]))
    found = select_pool(table, DISTINCT, 2, 4, 8, 0)
    assert sorted(found.image_id) == list(range(3, 16))


def test_more_images_than_there_are_is_refused_with_the_key():
    with pytest.raises(GridError, match=r"asks for 13 images and sweep\.held_out keeps 4"):
        pool(most=13)
    with pytest.raises(GridError, match=r"sweep\.base\.duplicated is 9, but only 8"):
        pool(duplicated=9)


def test_duplicated_images_are_drawn_ddf_times_as_often():
    rows, texts = take(ddf=10.0)
    to_table("sweep_rows", rows)
    assert rows.weight.tolist() == [10, 10] + [1] * 6
    assert rows.planted.tolist() == [True, True] + [False] * 6
    assert texts == [[caption] for caption in rows.caption]
    assert take()[0].weight.tolist() == [1] * 8


def test_points_of_other_sizes_begin_with_the_same_images_and_never_take_held_out_ones():
    small, large = take()[0], take(images=-1)[0]
    assert small.image_id.tolist() == large.image_id.tolist()[:8]
    held = pool().image_id[pool().held_out]
    assert len(large) == 12
    assert not set(large.image_id) & set(held)


def test_a_image_that_is_duplicated_alone_has_a_caption_for_each_copy():
    rows, texts = take(ddf=3.0, duplication="image_only")
    assert rows.n_captions.tolist() == [3, 3] + [1] * 6
    assert texts[0][0] == rows.caption[0]
    assert len(set(texts[0])) == 3
    assert take(ddf=10.0, duplication="image_only")[0].n_captions.tolist() == [5, 5] + [1] * 6


def test_mc_gives_every_image_many_captions():
    rows, texts = take(mitigation="mc")
    assert rows.n_captions.tolist() == [5] * 8
    assert [of_one[0] for of_one in texts] == rows.caption.tolist()


@pytest.mark.parametrize(("conditioning", "different"), [("fixed", 1), ("none", 1), ("random", 8)])
def test_a_conditioning_gives_its_own_captions(conditioning, different):
    rows, _ = take(conditioning=conditioning)
    assert rows.caption.nunique() == different
    assert not set(rows.caption) & set(TABLE.caption)


def test_captions_of_a_class_are_shared_by_its_images():
    rows = take(conditioning="class")[0].merge(TABLE, on="image_id")
    assert (rows.groupby("group").caption_x.nunique() == 1).all()


def test_a_shadow_model_trains_on_a_random_half_and_its_rows_tell_the_other():
    rows, texts = take(images=6, half=0)
    assert len(rows) == 12
    assert rows.member.sum() == len(texts) == 6
    assert (rows.weight[~rows.member] == 0).all()
    other, _ = take(images=6, half=1)
    assert other.image_id.tolist() == rows.image_id.tolist()
    assert other.member.tolist() != rows.member.tolist()


def test_distinct_images_are_those_of_a_loop_over_pairs():
    rng = np.random.default_rng(3)
    base = rng.integers(0, 256, (4, 4, 4, 3))
    near = np.clip(base + rng.integers(-60, 60, base.shape), 0, 255)
    images = np.concatenate([base, near, rng.integers(0, 256, (3, 4, 4, 3))]).astype(np.uint8)
    families = np.array([0, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10])
    expected = []
    for i in range(len(images)):
        distances = [
            np.sqrt(np.mean(((images[i].astype(float) - images[j]) / 255) ** 2))
            for j in range(len(images))
            if families[i] != families[j]
        ]
        expected.append(min(distances) >= APART)
    assert 0 < sum(expected) < len(expected)
    assert list(find_distinct(images, families, block=3)) == expected
