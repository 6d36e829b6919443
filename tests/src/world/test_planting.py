"""What the embedded world plants: as often as asked for, apart from all else, the same for a seed."""

import numpy as np
import pandas as pd
import pytest

from verbatim.world.planting import (
    APART,
    DISTORTIONS,
    WorldError,
    count_rows,
    distort,
    find_distinct,
    plant,
)

PLANTED = {
    "full": {"times": [3, 5], "each": 2},
    "picture_only": {"times": [4], "each": 2},
    "near": {"times": [7], "each": 1},
    "template": {"times": [2], "each": 2},
    "repeated": {"times": [3], "each": 2},
    "single": 5,
    "held_out": 6,
}


@pytest.fixture
def pictures() -> pd.DataFrame:
    """Three families of six, then sixty pictures alone, in three groups."""
    families = ["f0"] * 6 + ["f1"] * 6 + ["f2"] * 6 + [f"s{i}" for i in range(60)]
    n = len(families)
    captions = [f"thing {'x ' * (i % 3)}{i}" for i in range(n)]
    return pd.DataFrame(
        {
            "picture_id": np.arange(n, dtype=np.int32), "code": [f"{i:X}" for i in range(n)],
            "caption": captions, "group": [f"G{i % 3}" for i in range(n)], "family": families,
            "n_words": [len(c.split()) for c in captions],
        }
    )  # fmt: skip


@pytest.fixture
def distinct(pictures) -> np.ndarray:
    """A third of the pictures look like another."""
    return np.arange(len(pictures)) % 3 != 0


def test_the_rows_are_as_many_as_counted_and_each_is_met_as_often_as_asked(pictures, distinct):
    truth = plant(pictures, distinct, PLANTED, 3, seed=1)
    rows = truth[truth.row >= 0]
    assert len(rows) == count_rows(PLANTED) == 16 + 8 + 7 + 24 + 6 + 5
    assert list(rows.row) == list(range(len(rows)))
    assert list(rows.row) != list(rows.sort_values(["kind", "picture_id"]).row)  # shuffled
    met = (
        rows[rows.kind == "full"]
        .groupby("picture_id")
        .agg(n=("row", "size"), count=("count", "first"))
    )
    assert sorted(met.n) == [3, 3, 5, 5]
    assert (met.n == met["count"]).all()
    near = rows[rows.kind == "near"]
    assert set(near.distortion) == set(DISTORTIONS)
    assert near.caption.nunique() == 1
    only = rows[rows.kind == "picture_only"].groupby("picture_id")
    assert (only.caption.nunique() == 4).all()


def test_a_repeated_caption_stands_over_different_pictures(pictures, distinct):
    rows = plant(pictures, distinct, PLANTED, 3, seed=1)
    repeated = rows[rows.kind == "repeated"].groupby("caption")
    assert (repeated.picture_id.nunique() == 3).all()
    assert len(repeated) == 2
    shown = set(rows.picture_id[rows.kind == "repeated"])
    named = set(pictures.picture_id[pictures.caption.isin(repeated.groups)])
    assert not shown & named  # the picture that the caption names is nowhere in the training set
    assert not named & set(rows.picture_id)


def test_a_picture_has_one_use_only(pictures, distinct):
    truth = plant(pictures, distinct, PLANTED, 3, seed=1)
    assert (truth.groupby("picture_id").kind.nunique() == 1).all()
    kinds = truth.kind.value_counts()
    assert kinds["held_out"] == 6
    assert kinds["finetune_0"] == kinds["finetune_1"] == 3
    assert (truth.row[truth.kind.isin(["held_out", "finetune_0", "finetune_1"])] == -1).all()


def test_what_is_planted_or_held_out_is_far_from_all_other_pictures(pictures, distinct):
    truth = plant(pictures, distinct, PLANTED, 3, seed=1)
    planted = truth[truth.kind.isin(["full", "picture_only", "near", "held_out"])]
    assert distinct[planted.picture_id].all()
    assert not truth.kind.isin(["full", "near"])[truth.family.isin(["f0", "f1", "f2"])].all()


def test_a_template_family_is_whole(pictures, distinct):
    truth = plant(pictures, distinct, PLANTED, 3, seed=1)
    families = truth[truth.kind == "template"].groupby("family")
    assert len(families) == 2
    assert (families.picture_id.nunique() == 6).all()
    assert (families.caption.nunique() == 6).all()


def test_a_held_out_picture_is_of_its_matchs_group_while_there_is_one(pictures, distinct):
    truth = plant(pictures, distinct, PLANTED, 3, seed=1)
    held = truth[truth.kind == "held_out"]
    full = truth[truth.kind == "full"].drop_duplicates("picture_id").set_index("picture_id")
    assert held.match.isin(full.index).all()
    assert list(held.group) == list(full.group.reindex(held.match))


def test_a_seed_decides_everything(pictures, distinct):
    one, same, other = (plant(pictures, distinct, PLANTED, 3, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"full": {"times": [2], "each": 100}}, r"world\.planted\.full: 100 .* ask for fewer"),
        ({"template": {"times": [1], "each": 4}}, r"world\.planted\.template: 4 .* there are 3"),
        ({"picture_only": {"times": [31], "each": 1}}, r"world\.planted\.picture_only: 31 copies"),
        ({"held_out": 100}, r"world\.planted\.held_out: 100 .* ask for fewer"),
    ],
)
def test_more_than_there_is_is_refused_by_its_key(pictures, distinct, changes, message):
    with pytest.raises(WorldError, match=message):
        plant(pictures, distinct, PLANTED | changes, 3, seed=1)


def test_distinct_pictures_are_those_of_a_loop_over_pairs():
    rng = np.random.default_rng(3)
    base = rng.integers(0, 256, (4, 4, 4, 3))
    near = np.clip(base + rng.integers(-60, 60, base.shape), 0, 255)
    pictures = np.concatenate([base, near, rng.integers(0, 256, (3, 4, 4, 3))]).astype(np.uint8)
    families = np.array([0, 1, 2, 3, 0, 5, 6, 7, 8, 9, 10])
    expected = []
    for i in range(len(pictures)):
        distances = [
            np.sqrt(np.mean(((pictures[i].astype(float) - pictures[j]) / 255) ** 2))
            for j in range(len(pictures))
            if families[i] != families[j]
        ]
        expected.append(min(distances) >= APART)
    assert 0 < sum(expected) < len(expected)
    assert list(find_distinct(pictures, families, block=3)) == expected


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_a_distortion_gives_a_near_copy_of_the_same_size(distortion):
    y, x = np.mgrid[:32, :32] / 31 - 0.5
    spot = np.exp(-((x**2 + y**2) / 0.05))[..., None]
    picture = (1 - spot * [0.2, 0.6, 0.9]).astype(np.float32)  # a soft drawing on white
    got = distort(picture, distortion)
    assert got.shape == picture.shape
    assert 0 <= got.min() <= got.max() <= 1
    rmse = np.sqrt(np.mean((got - picture) ** 2))
    assert rmse < 0.12  # the paper's threshold for a verbatim copy ...
    assert (rmse > 0) == (distortion != "none")  # ... but no equal picture


def test_an_unknown_distortion_is_named():
    with pytest.raises(ValueError, match="'swirl'"):
        distort(np.zeros((4, 4, 3), np.float32), "swirl")
