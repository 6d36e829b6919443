"""One run, made by hand: which images count in what, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from verbatim.claims.contrasts import values_of
from verbatim.io.measures import Measures
from verbatim.io.pool_features import Described, PoolFeatures, complexity_of
from verbatim.models.descriptors import cut
from verbatim.similarity.run_measures import Settings
from verbatim.similarity.runs import Quality, Run, count_quality, count_run

RNG = np.random.default_rng(0)
N = 12  # images of the world; 0 to 7 are members, 0 and 1 planted, 10 and 11 held out
WORLD = RNG.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
SETTINGS = Settings("clip", 0.5, 30, 0.95, 0.12)


def describe(images: np.ndarray) -> Described:
    """A descriptor that anyone can work out: the colours about grey, at unit length."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255 - 0.5
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return Described(unit, cut(unit, 4))


def pool() -> PoolFeatures:
    described = {"clip": describe(WORLD), "sscd": describe(255 - WORLD)}
    return PoolFeatures(np.arange(N), described, complexity_of(WORLD), np.zeros((N, 0)))


@pytest.fixture
def run() -> Run:
    """Ten generations: exact copies of 0, 1 and 5, the rest noise; the copy of 1 is of kind `more`."""
    images = RNG.integers(0, 256, (10, 8, 8, 3), dtype=np.uint8)
    images[0], images[9], images[2] = WORLD[0], WORLD[1], WORLD[5]
    asked = np.array([0, 2, 3, 4, 5, 6, 7, 2, 3, 1])
    generations = pd.DataFrame(
        {
            "generation": range(10), "image_id": asked, "caption": [f"thing {i}" for i in asked],
            "kind": ["one"] * 8 + ["more"] * 2,
        }
    )  # fmt: skip
    rows = pd.DataFrame(
        {
            "image_id": range(10), "weight": [10.0, 10.0] + [1.0] * 8, "planted": [True] * 2 + [False] * 8,
            "member": [True] * 8 + [False] * 2,
        }
    )  # fmt: skip
    return Run(generations, images, rows, pool(), WORLD, [10, 11])


def count(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    out = Measures("full10", 0, "none")
    made = {"clip": describe(run.images), "sscd": describe(255 - run.images)}
    rows = count_run(run, made, out, SETTINGS)
    return rows, out.table.set_index("measure")


def test_each_generation_has_its_nearest_member_by_each_descriptor_and_both_distances(run):
    rows, _ = count(run)
    assert rows["descriptor"].tolist() == ["clip"] * 10 + ["sscd"] * 10
    vectors, training = describe(run.images), describe(WORLD[:8])
    for g in range(10):
        dots = training.whole @ vectors.whole[g]
        match = int(dots.argmax())
        one = rows.iloc[g]
        assert one["match"] == match
        assert one["similarity"] == pytest.approx(dots.max(), abs=1e-5)
        chunks = [float(vectors.chunks[g, c] @ training.chunks[match, c]) for c in range(4)]
        assert one["split"] == pytest.approx(max(chunks), abs=1e-5)
        assert one["cross"] >= one["split"] - 1e-6
        asked = int(run.generations["image_id"][g])
        for column, other in (("rmse", match), ("own_rmse", asked)):
            want = np.sqrt(((run.images[g] / 255.0 - WORLD[other] / 255.0) ** 2).mean())
            assert one[column] == pytest.approx(want, abs=1e-5)


def test_similarity_is_of_one_image_a_caption_and_copies_are_of_all(run):
    rows, found = count(run)
    sample = rows["similarity"][:8]
    assert found.loc["similarity:p95", "value"] == pytest.approx(np.percentile(sample, 95))
    assert found.loc["share_above:0.5", ["value", "n"]].tolist() == [2 / 8, 8]
    assert found.loc["recall", ["value", "n"]].tolist() == [1, 2]  # one by `more` alone
    assert found.loc["recall_others", ["value", "n"]].tolist() == [1 / 6, 6]
    assert found.loc["copies_any", "value"] == 2 / 8
    assert found.loc["similarity:p95@sscd", "value"] == pytest.approx(
        found.loc["similarity:p95", "value"], abs=1e-5
    )


def test_the_background_is_of_members_and_what_nobody_trained_on_is_held_out(run):
    _, found = count(run)
    among = describe(WORLD[:8]).whole
    dots = among @ among.T - 2 * np.eye(8)
    assert found.loc["background:p50", "value"] == pytest.approx(
        np.percentile(dots.max(axis=1), 50), abs=1e-5
    )
    assert found.loc["background:p50", "n"] == 8
    unseen = (describe(WORLD[10:]).whole @ among.T).max(axis=1)
    assert found.loc["held_out:p95", "value"] == pytest.approx(np.percentile(unseen, 95), abs=1e-5)


def test_sources_and_matches_are_held_against_what_is_duplicated(run):
    rows, found = count(run)
    match = rows["match"][:8].to_numpy()
    assert found.loc["duplicated_source", "value"] == 1 / 8  # caption 0 was asked once
    assert found.loc["duplicated_match", "value"] == pytest.approx((match < 2).mean())
    assert found.loc["duplicated_match:above", ["value", "n"]].tolist() == [0.5, 2]
    assert found.loc["match_is_source:above", "value"] == 0.5
    assert found.loc["similarity_mean:planted", "value"] == pytest.approx(1, abs=1e-5)


def test_an_unconditional_run_has_no_source_and_is_measured_all_the_same(run):
    bare = run.generations.assign(image_id=-1, caption="", kind="one")
    rows, found = count(Run(bare, run.images, run.rows, run.pool, WORLD, [10, 11]))
    assert rows["own_rmse"].isna().all()
    assert found.loc["recall", "value"] == 1
    assert found.loc["recall_others", "n"] == 6
    assert found.loc["duplicated_source", "n"] == 0
    assert np.isnan(found.loc["duplicated_source", "value"])
    assert "similarity_mean:planted" not in found.index


def test_quality_is_of_the_sample_and_named_after_its_features(run):
    out = Measures("full10", 0, "none")
    made = {"clip": describe(run.images)}
    seen = {}

    def frechet(training, generated):
        seen[len(seen)] = (training.shape, generated.shape)
        return 3.0

    def score(images, captions):
        seen["score"] = (images.shape[0], captions[:2])
        return 25.0, np.full(len(captions), 25.0)

    count_quality(run, made, Quality(None, frechet, score), out, SETTINGS)
    assert seen == {0: ((8, 192), (8, 192)), "score": (8, ["thing 0", "thing 2"])}
    assert out.table["measure"].tolist() == ["frechet:clip", "clip_score"]
    assert "no FID" in out.table["note"][0]
    run.pool.inception = np.zeros((N, 5))
    count_quality(run, made, Quality(np.zeros((10, 5)), frechet, score), out, SETTINGS)
    assert out.table["measure"].tolist()[2:] == ["frechet:clip", "fid", "clip_score"]


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_intervals_of_means_are_of_the_confidence_that_was_asked_for(run, confidence):
    """Standard errors that are worked out of them again are those of the values."""
    settings = replace(SETTINGS, confidence=confidence)
    out, made = Measures("full10", 0, "none"), {"clip": describe(run.images)}
    each = np.array([20.0, 22, 25, 21, 30, 28, 24, 26])
    quality = Quality(None, lambda *_: 3.0, lambda *_: (24.5, each))
    count_quality(run, made, quality, out, settings)
    many = replace(run, rows=run.rows.assign(weight=10.0))  # all are duplicated: a mean of eight
    similarities = count_run(many, made, out, settings)
    some = {"clip_score": each, "similarity_mean:planted": similarities["similarity"][:8]}
    for measure, values in some.items():
        error = values_of(out.table, measure, confidence).errors.to_numpy().item()
        assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(8))
