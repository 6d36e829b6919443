"""What is planted: as often as asked, of drawings of its own, in words that tell nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.io.records import to_table
from verbatim.world.plan import (
    SCENE,
    WorldError,
    count_held_out,
    count_rows,
    is_paraphrase,
    list_captions,
    list_images,
    plan_styles,
    plant,
    scenes_of,
)
from verbatim.world.scenes import DISTORTIONS, PLATE

PLANTED = {
    "full": {"times": [3, 5], "each": 2},
    "image_only": {"times": [4], "each": 2},
    "near": {"times": [7], "each": 1},
    "template": {"times": [6], "each": 2},
    "repeated": {"times": [3], "each": 2},
    "placeholder": {"times": [4], "each": 1},
    "single": 50,
    "held_out": {"full": 6, "image_only": 2, "near": 2, "template": 4, "repeated": 2},
}
ROWS = 16 + 8 + 7 + 12 + 6 + 4 + 50


def made_drawings() -> pd.DataFrame:
    n = 60
    captions = [" ".join(f"thing{i}{letter}" for letter in "abc"[: 1 + i % 3]) for i in range(n)]
    return pd.DataFrame(
        {
            "image_id": np.arange(n, dtype=np.int32), "code": [f"{i:X}" for i in range(n)],
            "caption": captions, "group": [f"G{i % 3}" for i in range(n)],
            "family": [f"s{i}" for i in range(n)], "n_words": [len(c.split()) for c in captions],
        }
    )  # fmt: skip


COVER = (np.arange(60) % 3 == 0).astype(float)  # a third of the drawings is wide


@pytest.fixture
def drawings() -> pd.DataFrame:
    return made_drawings()


@pytest.fixture
def cover() -> np.ndarray:
    return COVER


@st.composite
def worlds(draw) -> dict:
    """A `world.planted` block that 60 drawings suffice for."""

    def times(most: int) -> dict:
        counts = draw(st.lists(st.integers(1, most), max_size=2))
        return {"times": counts, "each": draw(st.integers(1, 2))}

    block = {kind: times(8) for kind in ("full", "image_only", "near", "template", "repeated")}
    block |= {"placeholder": times(4), "single": draw(st.integers(1, 60))}
    kinds = [kind for kind in block if kind in HELD and block[kind]["times"]]
    return block | {"held_out": {kind: draw(st.integers(0, 4)) for kind in kinds}}


HELD = tuple(PLANTED["held_out"])
SEEDS = st.integers(0, 2**32 - 1)


@examples(20)
@given(worlds(), SEEDS)
def test_every_world_has_the_rows_and_held_out_prompts_that_are_counted(planted, seed):
    truth = plant(made_drawings(), COVER, planted, seed)
    rows, held = truth[truth.row >= 0], truth[truth.row < 0]
    assert list(rows.row) == list(range(count_rows(planted)))
    assert len(held) == count_held_out(planted)
    assert set(held.kind) <= {"held_out"}  # no name of these drawings is like another
    assert not set(held.drawing) & set(rows.drawing)
    assert sorted(truth.image_id.unique()) == list(range(truth.image_id.nunique()))


@examples(20)
@given(worlds(), SEEDS)
def test_in_every_world_a_drawing_has_one_use_and_an_image_is_met_as_often_as_asked(planted, seed):
    truth = plant(made_drawings(), COVER, planted, seed)
    used = truth[(truth.drawing >= 0)].groupby("drawing").kind.nunique()
    assert (used == 1).all()
    for kind in ("full", "image_only", "near", "placeholder"):
        met = of_kind(truth, kind).groupby("image_id").size()
        block = planted[kind]
        assert sorted(met) == sorted(block["times"] * block["each"]), kind
    families = of_kind(truth, "template").groupby("family").image_id.nunique()
    template = planted["template"]
    assert sorted(families) == sorted(template["times"] * template["each"])


@pytest.mark.slow
@examples(20)
@given(worlds(), SEEDS)
def test_captions_of_duplicates_are_one_and_those_of_an_image_alone_differ(planted, seed):
    truth = plant(made_drawings(), COVER, planted, seed)
    for kind, image in truth[truth.row >= 0].groupby(["kind", "image_id"]):
        different = 1 if kind[0] in ("full", "near") else len(image)
        assert image.caption.nunique() == different, kind


WORDS = st.lists(st.sampled_from(["red", "square", "pig", "nose", "skin", "tone"]), max_size=4)


@given(WORDS, WORDS, st.randoms(use_true_random=False))
def test_being_a_paraphrase_is_mutual_and_no_matter_of_the_order_of_words(a, b, random):
    one, other = " ".join(a), " ".join(b)
    said = is_paraphrase(one, [other])
    assert is_paraphrase(other, [one]) == said
    random.shuffle(a)
    assert is_paraphrase(" ".join(a), [other]) == said
    assert is_paraphrase(one, [one]) == bool(set(a) - {"skin", "tone"})


@pytest.fixture
def truth(drawings, cover) -> pd.DataFrame:
    return plant(drawings, cover, PLANTED, seed=1)


def of_kind(truth: pd.DataFrame, kind: str) -> pd.DataFrame:
    return truth[truth["kind"].eq(kind)]


def test_the_rows_are_as_many_as_counted_and_each_is_met_as_often_as_asked(truth):
    rows = truth[truth.row >= 0]
    assert len(rows) == count_rows(PLANTED) == ROWS
    assert list(rows.row) == list(range(len(rows)))
    assert list(rows.row) != list(rows.sort_values(["kind", "image_id"]).row)  # shuffled
    met = of_kind(rows, "full").groupby("image_id").agg(n=("row", "size"), count=("count", "first"))
    assert sorted(met.n) == [3, 3, 5, 5]
    assert (met.n == met["count"]).all()
    assert (of_kind(rows, "full").groupby("image_id").caption.nunique() == 1).all()


def test_the_table_holds_to_its_contract(truth):
    to_table("truth", truth.drop(columns=[c for c in SCENE if c != "distortion"]))
    assert sorted(truth.image_id.unique()) == list(range(truth.image_id.nunique()))


def test_near_duplicates_share_a_caption_and_are_distorted_in_turn(truth):
    near = of_kind(truth, "near").sort_values("copy")
    assert list(near.distortion) == [*DISTORTIONS, DISTORTIONS[0]]
    assert near.caption.nunique() == near.image_id.nunique() == 1


def test_an_image_alone_that_is_duplicated_has_other_captions_of_its_drawing(truth, drawings):
    for _, copies in of_kind(truth, "image_only").groupby("image_id"):
        assert copies.caption.nunique() == 4
        name = drawings.caption[copies.drawing.iloc[0]]
        assert copies.caption.str.startswith(f"{name} ").all()


def test_a_family_is_one_scene_with_a_filling_and_a_caption_for_each_member(truth):
    families = of_kind(truth, "template").groupby("family")
    assert len(families) == 2
    for _, members in families:
        assert members.scene.nunique() == members.drawing.nunique() == 1
        assert sorted(members.filling) == list(range(6))
        assert members.caption.nunique() == members.image_id.nunique() == 6
        assert (members["count"] == 1).all()


def test_a_family_has_a_drawing_that_a_filling_shows_on(truth, cover):
    wide = truth[truth.kind.eq("template") | truth.match.isin(of_kind(truth, "template").image_id)]
    assert (cover[wide.drawing] == 1).all()


def test_a_repeated_caption_stands_over_different_scenes_of_its_drawing(truth, drawings):
    repeated = of_kind(truth, "repeated").groupby("caption")
    assert len(repeated) == 2
    assert (repeated.scene.nunique() == 3).all()
    assert (repeated.image_id.nunique() == 3).all()
    assert (repeated.drawing.nunique() == 1).all()
    assert (of_kind(truth, "repeated")["count"] == 3).all()


def test_a_plate_stands_under_captions_of_drawings_that_singles_show(truth):
    plates = of_kind(truth, "placeholder")
    assert plates.image_id.nunique() == 1
    assert plates.caption.nunique() == 4
    assert (plates.drawing == PLATE).all()


def test_a_drawing_has_one_use(truth):
    drawn = truth[truth.drawing >= 0]
    assert (drawn.groupby("drawing").kind.nunique() == 1).all()


def test_singles_are_spread_evenly_and_each_is_met_once(truth):
    single = of_kind(truth, "single")
    assert len(single) == single.image_id.nunique() == single.scene.nunique() == 50
    per_drawing = single.drawing.value_counts()
    assert per_drawing.max() - per_drawing.min() <= 1


def test_a_held_out_prompt_names_a_drawing_that_is_never_trained_on(truth):
    held = of_kind(truth, "held_out")
    assert len(held) == count_held_out(PLANTED) == 16
    assert (held.row == -1).all()
    assert not set(held.drawing) & set(truth[truth.row >= 0].drawing)
    kind_of = truth[truth.row >= 0].drop_duplicates("image_id").set_index("image_id").kind
    assert held.match.map(kind_of).value_counts().to_dict() == PLANTED["held_out"]


PARAPHRASES = [("full", "full"), ("near", "template")]


@pytest.mark.parametrize(("planted", "held_out"), PARAPHRASES)
def test_a_prompt_named_nearly_as_a_duplicate_is_no_negative_and_another_takes_its_place(
    drawings, cover, planted, held_out
):
    truth = plant(drawings, cover, PLANTED, seed=1)
    copied = of_kind(truth, planted).iloc[0].drawing
    held = truth[truth.kind.eq("held_out") & truth.match.isin(of_kind(truth, held_out).image_id)]
    alike = held.iloc[0].drawing
    drawings.loc[alike, "caption"] = drawings.caption[copied] + " x"
    again = plant(drawings, cover, PLANTED, seed=1)
    (one,) = of_kind(again, "paraphrase").itertuples()
    assert (one.drawing, one.row) == (alike, -1)
    kept = of_kind(again, "held_out")
    assert len(kept) == count_held_out(PLANTED)
    assert alike not in set(kept.drawing)
    assert kept.caption.is_unique
    twice = kept[kept.drawing.duplicated(keep=False)]
    assert twice.image_id.nunique() == 1  # a second caption of the same scene
    pd.testing.assert_frame_equal(again[again.row >= 0], truth[truth.row >= 0])


@pytest.mark.parametrize(
    ("name", "paraphrase"),
    [("purple square", True), ("square", True), ("light skin tone", False), ("circle", False),
     ("red and blue and green square", False), ("skin tone nose", False)],
)  # fmt: skip
def test_half_of_the_words_make_a_paraphrase_and_common_ones_do_not_count(name, paraphrase):
    assert is_paraphrase(name, ["red square", "man swimming light skin tone"]) == paraphrase


def test_captions_have_one_grammar_whatever_they_are_planted_for(truth, drawings):
    named = truth.drawing >= 0
    names = drawings.caption.reindex(truth.drawing[named]).to_numpy()
    rest = [c.removeprefix(n).split() for c, n in zip(truth.caption[named], names, strict=True)]
    assert {len(words) for words in rest} == {2}


def test_images_and_captions_are_listed_by_image_id(truth):
    scenes, captions = list_images(truth), list_captions(truth)
    assert len(scenes) == len(captions) == truth.image_id.max() + 1
    assert {scene.distortion for scene in scenes} == {"none"}
    for row in truth.sample(30, random_state=0).itertuples():
        assert scenes[row.image_id].number == row.scene
        assert captions[row.image_id] in set(truth.caption[truth.image_id == row.image_id])


def test_the_scenes_of_a_table_are_what_its_rows_say(truth):
    row = of_kind(truth, "template").iloc[0]
    (scene,) = scenes_of(of_kind(truth, "template").head(1))
    assert (scene.number, scene.drawing, scene.filling) == (row.scene, row.drawing, row.filling)


def test_fine_tuning_scenes_are_of_drawings_that_singles_show_and_new(truth, drawings):
    styles = plan_styles(truth, drawings, 5, seed=1)
    assert styles.part.value_counts().to_dict() == {0: 5, 1: 5}
    assert not set(styles.scene) & set(truth.scene)
    assert styles.scene.is_unique
    assert set(styles.drawing) <= set(of_kind(truth, "single").drawing)


def test_a_seed_decides_everything(drawings, cover):
    one, same, other = (plant(drawings, cover, PLANTED, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"full": {"times": [2], "each": 100}}, r"world\.planted\.full: .* ask for fewer"),
        ({"template": {"times": [4], "each": 21}}, r"world\.planted\.template: .* ask for fewer"),
        ({"held_out": {"near": 100}}, r"world\.planted\.held_out\.near: 100 .* ask for fewer"),
        (
            {"held_out": PLANTED["held_out"] | {"full": 39}},
            r"world\.planted\.single: no drawings are left",
        ),
        (
            {"near": {"times": [3], "each": 0}},
            r"world\.planted\.held_out\.near: no near is planted",
        ),
    ],
)
def test_more_than_there_is_is_refused_by_its_key(drawings, cover, changes, message):
    with pytest.raises(WorldError, match=message):
        plant(drawings, cover, PLANTED | changes, seed=1)
