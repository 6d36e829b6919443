"""Negatives of every kind of duplicate: matched, never trained on, and without effect on what is trained on."""

import numpy as np
import pandas as pd
import pytest

from verbatim.world.held_out import describe_shortage, hold_out
from verbatim.world.planting import PARAPHRASES, find_alike, plant

PLANTED = {
    "full": {"times": [3], "each": 4},
    "picture_only": {"times": [4, 6], "each": 2},
    "near": {"times": [2], "each": 3},
    "template": {"times": [2], "each": 2},
    "repeated": {"times": [3], "each": 2},
    "single": 5,
    "held_out": 6,
}
WANTED = {"picture_only": 8, "near": 5, "template": 12}
N_FAMILIES, N_LONE = 6, 80
TONES = ("light", "medium-light", "medium", "medium-dark", "dark", "")


@pytest.fixture
def pictures() -> pd.DataFrame:
    """Families of six in skin tones, then pictures alone, in three groups."""
    rows = [
        {"caption": f"person {'abcdef'[f]} {tone}".strip(), "group": f"G{f % 3}", "family": f"f{f}"}
        for f in range(N_FAMILIES)
        for tone in TONES
    ]
    rows += [
        {"caption": f"thing {'x ' * (i % 3)}{i}", "group": f"G{i % 3}", "family": f"s{i}"}
        for i in range(N_LONE)
    ]
    frame = pd.DataFrame(rows)
    frame.insert(0, "picture_id", np.arange(len(frame), dtype=np.int32))
    return frame.assign(n_words=frame["caption"].str.split().str.len())


@pytest.fixture
def distinct(pictures) -> np.ndarray:
    """All but three look like no other."""
    return np.arange(len(pictures)) < len(pictures) - 3


def make(pictures, distinct, seed=1, **of):
    return hold_out(pictures, distinct, plant(pictures, distinct, PLANTED, 3, seed), of, seed)


def held_out_of(truth: pd.DataFrame, kind: str) -> pd.DataFrame:
    kind_of = truth[truth["row"] >= 0].drop_duplicates("picture_id").set_index("picture_id")["kind"]
    held = truth[truth["kind"].eq("held_out")]
    return held[held["match"].map(kind_of).eq(kind)]


@pytest.mark.parametrize("seed", range(4))
def test_negatives_of_other_kinds_change_no_training_row_and_no_other_pair(
    pictures, distinct, seed
):
    without = plant(pictures, distinct, PLANTED, 3, seed)
    pd.testing.assert_frame_equal(make(pictures, distinct, seed), without)
    for of in ({"near": 2}, WANTED, dict.fromkeys(WANTED, 1000)):
        truth = make(pictures, distinct, seed, **of)
        assert len(truth) > len(without)
        pd.testing.assert_frame_equal(truth.iloc[: len(without)], without)
        assert set(truth["kind"].iloc[len(without) :]) == {"held_out"}


def test_each_kind_has_as_many_negatives_as_asked_for_each_a_picture_that_nothing_else_uses(
    pictures, distinct
):
    truth = make(pictures, distinct, **WANTED)
    assert {kind: len(held_out_of(truth, kind)) for kind in WANTED} == WANTED
    assert len(held_out_of(truth, "full")) == PLANTED["held_out"]
    held, others = truth[truth["kind"].eq("held_out")], truth[truth["kind"].ne("held_out")]
    assert held["picture_id"].is_unique
    assert not set(held["family"]) & set(others["family"])
    named = set(pictures.picture_id[pictures.caption.isin(others.caption)])
    assert not set(held["picture_id"]) & named


def test_a_negative_of_a_picture_only_duplicate_is_worded_as_one_of_its_copies(pictures, distinct):
    truth = make(pictures, distinct, **WANTED)
    times = truth[truth["row"] >= 0].drop_duplicates("picture_id").set_index("picture_id")["count"]
    wordings = set()
    for one in held_out_of(truth, "picture_only").itertuples():
        copies = [text.format(pictures.caption[one.picture_id]) for text in PARAPHRASES]
        wordings.add(copies.index(one.caption))
        assert copies.index(one.caption) < times[one.match]
    assert len(wordings) > 2


def test_held_out_families_are_whole_and_have_the_words_of_the_planted_member(pictures, distinct):
    truth = make(pictures, distinct, **WANTED)
    held = held_out_of(truth, "template")
    assert held.groupby("family")["picture_id"].nunique().tolist() == [6, 6]
    for one in held.itertuples():
        planted = pictures.caption[one.match].split()
        assert one.caption.split()[2:] == planted[2:]  # "person a dark": the tone
        assert one.caption != pictures.caption[one.match]
    assert held["match"].is_unique


def test_a_family_with_a_member_that_looks_like_another_picture_is_not_held_out(pictures, distinct):
    distinct[:36:6] = False  # the first member of every family
    assert held_out_of(make(pictures, distinct, **WANTED), "template").empty


def test_a_near_duplicate_has_a_negative_of_its_group_and_length(pictures, distinct):
    held = held_out_of(make(pictures, distinct, **WANTED), "near")
    assert list(held["group"]) == list(pictures.group[held["match"]])
    assert list(held["caption"]) == list(pictures.caption[held["picture_id"]])


def test_where_pictures_run_out_there_are_fewer_and_a_sentence_says_so(pictures, distinct):
    wanted = {"near": 5, "picture_only": 1000, "template": 40}
    truth = make(pictures, distinct, **wanted)
    sentences = describe_shortage(truth, PLANTED | {"held_out_of": wanted})
    got = {kind: len(held_out_of(truth, kind)) for kind in wanted}
    assert got["near"] == 5
    assert 0 < got["picture_only"] < N_LONE
    assert got["template"] % 6 == 0
    assert [s.split(";")[0] for s in sentences] == [
        f"world.planted.held_out_of.{kind}: {got[kind]} of {wanted[kind]} held-out pairs"
        for kind in ("picture_only", "template")
    ]


def test_the_picture_that_is_most_alike_is_that_of_a_loop(pictures):
    def unlike(a, b):
        return (
            a.group != b.group, abs(a.n_words - b.n_words), abs(len(a.caption) - len(b.caption)), b.picture_id,
        )  # fmt: skip

    free = list(range(40, 90))
    for picture in (3, 38, 100):
        one = pictures.iloc[picture]
        expected = min(free, key=lambda p: unlike(one, pictures.iloc[p]))
        assert find_alike(pictures, picture, free) == expected


def test_shared_words_come_before_the_group_where_words_are_what_matters(pictures):
    pictures.loc[[50, 60], "caption"] = ["person z", "thing z"]
    pictures.loc[60, "group"] = pictures.group[0]
    assert find_alike(pictures, 0, [50, 60], by_words=True) == 50
    assert find_alike(pictures, 0, [60, 61], by_words=True) == 60
