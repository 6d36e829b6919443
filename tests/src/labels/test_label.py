"""Labels of made prompts: what is a copy of what, and in which order it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import ImageError, generation_name
from verbatim.labels.fetched_images import ComparedRows, FetchedImages, Squares
from verbatim.labels.label import (
    LabelSettings,
    best_template,
    label_generations,
    label_prompts,
)
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.metrics.rmse import masked_rmse
from verbatim.metrics.template_masks import template_mask

SIZE = 16
SETTINGS = LabelSettings(
    preset="paper",
    thresholds={"MV": 0.12, "RV": 0.12, "TV": 0.12},
    order=("MV", "RV", "TV"),
    mask=MaskSettings(
        low=0.02255, high=0.2, difference=0.03, erode=1, dilate=1, min_area=0.3, partners=1, sources=10
    ),
    guards=GuardSettings(
        near_constant=0.98, flat_range=0.03, white=0.95, edge_density=0.9, edge_step=0.1
    ),
)  # fmt: skip


def image(seed: int) -> np.ndarray:
    """Coarse blocks: contrast, but no texture."""
    coarse = np.random.default_rng(seed).random((4, 4, 3), dtype=np.float32)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)


def near(source: np.ndarray, distance: float, seed: int = 0) -> np.ndarray:
    """Another image at exactly this RMSE (unclipped)."""
    noise = np.random.default_rng(seed).standard_normal(source.shape)
    return source + noise * distance / np.sqrt((noise**2).mean())


def recoloured(source: np.ndarray) -> np.ndarray:
    """The same but for one quarter: a template's other member, RMSE 0.15 away."""
    other = source.copy()
    other[:8, :8] = np.clip(
        np.where(other[:8, :8] > 0.5, other[:8, :8] - 0.3, other[:8, :8] + 0.3), 0, 1
    )
    return other


def squares(*entries: tuple[int, np.ndarray, bool], crops=None) -> Squares:
    return Squares(
        np.array([row for row, _, _ in entries], dtype=np.int64),
        list(crops or ["whole"] * len(entries)),
        np.array([own for _, _, own in entries], dtype=bool),
        np.stack([p for _, p, _ in entries]),
    )


OWN, OTHER, STRANGER = image(1), image(2), image(3)


def label(generations, training, settings=SETTINGS, seeds=None):
    return label_generations(
        np.stack(generations), seeds or range(len(generations)), training, settings
    )


def test_a_copy_of_a_image_of_the_prompts_own_caption_is_mv_with_seed_and_row():
    record, _ = label(
        [STRANGER, near(OWN, 0.05)], squares((70, OTHER, False), (80, OWN, True)), seeds=[10, 11]
    )
    assert (record["label"], record["seed"], record["source_row"]) == ("MV", 11, 80)
    assert record["distance"] == pytest.approx(0.05)
    assert record["distance_mv"] == record["distance"]
    assert record["distance_rv"] > 0.12
    assert np.isnan(record["distance_tv"])
    assert record["review"] is False


def test_a_copy_of_another_training_image_is_rv():
    record, _ = label([near(OTHER, 0.1)], squares((70, OTHER, False), (80, OWN, True)))
    assert (record["label"], record["source_row"]) == ("RV", 70)
    assert record["distance_mv"] > 0.12


def test_alike_but_for_the_region_that_varies_is_tv_with_its_mask():
    generation = OTHER.copy()
    generation[:8, :8] = STRANGER[:8, :8]  # a third filling of the template's free region
    training = squares((70, OTHER, False), (71, recoloured(OTHER), False), (80, OWN, True))
    record, mask = label([generation], training)
    assert record["label"] == "TV"
    assert record["distance"] == record["distance_tv"] < 0.01 < 0.12 < record["distance_rv"]
    assert mask is not None
    assert not mask[:8, :8].any()
    assert mask[8:].all()
    assert record["mask_area"] == pytest.approx(0.75)


def test_an_exact_match_is_not_swallowed_by_its_template_unless_the_references_order_is_asked_for():
    training = squares((80, OWN, True), (81, recoloured(OWN), False))
    generation = [near(OWN, 0.05)]
    assert label(generation, training)[0]["label"] == "MV"
    reference = replace(SETTINGS, order=("TV", "MV", "RV"))
    assert label(generation, training, reference)[0]["label"] == "TV"


def test_nothing_near_is_n_with_the_nearest_pair_and_no_review_even_of_white_images():
    white = np.ones_like(OWN)
    record, _ = label([STRANGER], squares((80, OWN, True), (90, white, False)))
    assert record["label"] == "N"
    assert record["distance"] == min(record["distance_mv"], record["distance_rv"])
    assert record["review"] is False


@pytest.mark.parametrize(("distance", "expected"), [(0.119, "MV"), (0.121, "N")])
def test_the_threshold_decides(distance, expected):
    assert label([near(OWN, distance)], squares((80, OWN, True)))[0]["label"] == expected


def test_each_label_has_its_own_threshold():
    settings = replace(SETTINGS, thresholds={"MV": 0.05, "RV": 0.2, "TV": 0.05})
    training = squares((80, OWN, True), (90, near(OWN, 0.01, 5), False))
    assert label([near(OWN, 0.1)], training, settings)[0]["label"] == "RV"


def test_the_best_crop_is_the_one_that_is_recorded():
    training = squares(
        (80, STRANGER, True), (80, OWN, True), (80, OTHER, True), crops=["squash", "center", "pad"]
    )
    assert label([near(OWN, 0.03)], training)[0]["crop"] == "center"


def test_a_flat_match_goes_to_review_with_the_reason():
    white = np.ones_like(OWN)
    record, _ = label([white * 0.98], squares((80, white, True)))
    assert record["label"] == "MV"
    assert record["review"] is True
    assert "training image: white" in record["review_reason"]
    assert "generation: white" in record["review_reason"]


def test_a_template_whose_shared_region_is_blank_goes_to_review():
    source = OTHER.copy()
    source[8:] = 1.0  # shared: white, and nothing else
    partner, generation = source.copy(), source.copy()
    partner[:8] = np.abs(source[:8] - 0.3)  # nowhere the same
    generation[:8] = STRANGER[:8]
    record, _ = label([generation], squares((70, source, False), (71, partner, False)))
    assert record["label"] == "TV"
    assert "training image: white" in record["review_reason"]
    assert record["review"] is True


def test_nothing_readable_is_missing_and_says_what():
    none = Squares(np.zeros(0, np.int64), [], np.zeros(0, bool), np.zeros((0, SIZE, SIZE, 3)))
    record, mask = label([OWN], none)
    assert (record["label"], record["status"], mask) == ("missing", "missing", None)
    assert "training image" in record["review_reason"]
    empty = label_generations(np.zeros((0, SIZE, SIZE, 3)), [], squares((80, OWN, True)), SETTINGS)
    assert "generation" in empty.record["review_reason"]


def test_without_an_own_image_the_neighbours_still_judge():
    record, _ = label([near(OTHER, 0.05)], squares((70, OTHER, False)))
    assert record["label"] == "RV"
    assert np.isnan(record["distance_mv"])


def test_the_template_distance_is_the_least_of_all_sources_and_seeds_each_under_its_own_mask():
    training = squares(
        (70, OTHER, False),
        (71, recoloured(OTHER), False),
        (80, OWN, True),
        (81, recoloured(OWN), False),
    )
    generations = np.stack([near(OTHER, 0.3, 1), near(OWN, 0.25, 2)])
    plain = np.sqrt(((generations[:, None] - training.images[None]) ** 2).mean(axis=(2, 3, 4)))
    settings = SETTINGS.mask
    naive = []
    for source, partner in ((0, 1), (1, 0), (2, 3), (3, 2)):
        a, b = training.images[source], training.images[partner]
        mask = template_mask(a, b, settings.difference, settings.erode, settings.dilate)
        naive += masked_rmse(generations, a, mask).tolist()
    best = best_template(generations, plain, training, settings)
    assert best is not None
    assert best.distance == pytest.approx(min(naive), rel=1e-9)


def test_a_mask_smaller_than_the_least_area_makes_no_template():
    other = STRANGER.copy()
    other[:2] = OTHER[:2]  # an eighth of the image is shared
    generation = STRANGER.copy()
    generation[:2] = OTHER[:2]
    wide = replace(SETTINGS, mask=replace(SETTINGS.mask, high=1.0, min_area=0.05))
    training = squares((70, OTHER, False), (71, other, False))
    generation[2:] = image(9)[2:]
    assert label([generation], training, wide)[0]["label"] == "TV"
    narrow = replace(wide, mask=replace(wide.mask, min_area=0.3))
    record, mask = label([generation], training, narrow)
    assert (record["label"], mask) == ("N", None)


# ---- whole selections


def prompts(*rows: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(
        [(i, f"caption {i}", row, False, "dcs") for i, row in rows],
        columns=["prompt_id", "caption", "row", "extra", "why"],
    )


def run(selection, generations, training, neighbours=(), relatives=(), seeds=(0, 1)):
    fetched = pd.DataFrame(
        [
            (row, caption, f"{row}.png", "missing", shown)
            if isinstance(shown, str)  # why there is no image
            else (row, caption, f"{row}.png", "ok", "")
            for row, caption, shown in training
        ],
        columns=["row", "caption", "member", "status", "reason"],
    )

    def read(store):
        def one(name):
            found = store[name]
            if isinstance(found, str):
                raise ImageError(found)
            return found

        return one

    images = FetchedImages(read({f"{r}.png": p for r, _, p in training}), fetched, SIZE)
    near_ = pd.DataFrame(neighbours, columns=["prompt_id", "seed", "order", "row", "similarity"])
    like = pd.DataFrame(relatives, columns=["row", "relative", "similarity", "order"])
    made = read(generations)
    rows = ComparedRows(near_, like, images)
    return list(label_prompts(selection, seeds, made, images, rows, SETTINGS))


def test_every_prompt_is_held_against_its_own_rows_only():
    made = {
        generation_name(i, s): near(OTHER, 0.05).astype(np.float32) for i in (1, 2) for s in (0, 1)
    }
    training = [(80, "caption 1", OWN), (70, "caption 2", OTHER), (60, "x", STRANGER)]
    found = run(prompts((1, 80), (2, 70)), made, training, [(1, 0, 0, 60, 0.9)])
    assert [v.record["label"] for v in found] == ["N", "MV"]
    assert [v.record["prompt_id"] for v in found] == [1, 2]
    assert {v.record["preset"] for v in found} == {"paper"}


def test_relatives_of_a_neighbour_give_the_template_and_the_mask_a_name():
    generation = OTHER.copy()
    generation[:8, :8] = STRANGER[:8, :8]
    made = {generation_name(1, s): generation for s in (0, 1)}
    training = [(70, "x", OTHER), (71, "y", recoloured(OTHER)), (80, "caption 1", OWN)]
    (found,) = run(
        prompts((1, 80)), made, training, [(1, 0, 0, 70, 0.9)], [(70, 71, 0.9, 0)]
    )  # fmt: skip
    assert found.record["label"] == "TV"
    assert found.record["mask_file"] == "1.png"
    (without,) = run(prompts((1, 80)), made, training, [(1, 0, 0, 70, 0.9)])
    assert without.record["label"] == "N"
    assert without.record["mask_file"] == ""


def test_a_broken_generation_is_recorded_and_the_other_seeds_still_count():
    made = {generation_name(1, 0): "broken image", generation_name(1, 1): near(OWN, 0.05)}
    training = [(80, "caption 1", OWN)]
    (copy,) = run(prompts((1, 80)), made, training)
    assert (copy.record["label"], copy.record["seed"], copy.record["review"]) == ("MV", 1, False)
    assert "seed 0: broken image" in copy.record["review_reason"]
    (none,) = run(prompts((1, 80)), made | {generation_name(1, 1): STRANGER}, training)
    assert (none.record["label"], none.record["review"]) == ("N", True)
    (gone,) = run(prompts((1, 80)), {}, training)
    assert gone.record["label"] == "missing"


def test_without_its_own_image_a_prompt_is_missing_unless_it_copies_another():
    gone = (80, "caption 1", "HTTP 404")
    made = {generation_name(1, s): STRANGER for s in (0, 1)}
    beside = [(1, 0, 0, 70, 0.9)]
    (found,) = run(prompts((1, 80)), made, [gone, (70, "x", OTHER)], beside)
    record = found.record
    assert (record["label"], record["status"], record["review"]) == ("missing", "missing", False)
    assert record["review_reason"] == "own image not read: HTTP 404"
    assert np.isnan(record["distance_mv"])
    assert record["distance"] == record["distance_rv"]
    assert record["source_row"] == 70
    copying = {name: near(OTHER, 0.05) for name in made}
    (copy,) = run(prompts((1, 80)), copying, [gone, (70, "x", OTHER)], beside)
    assert (copy.record["label"], copy.record["status"]) == ("RV", "ok")
    # another image of its caption is one of its own, and a prompt without a row has none to miss
    (same,) = run(prompts((1, 80)), made, [gone, (70, "caption 1", OTHER)], beside)
    (rowless,) = run(prompts((1, -1)), made, [(70, "x", OTHER)], beside)
    assert [same.record["label"], rowless.record["label"]] == ["N", "N"]
    half = made | {generation_name(1, 0): "broken image"}
    (both,) = run(prompts((1, 80)), half, [gone, (70, "x", OTHER)], beside)
    assert both.record["label"] == "missing"
    assert "HTTP 404; generation of seed 0: broken image" in both.record["review_reason"]


def test_generations_of_another_size_are_resized():
    large = near(OWN, 0.0).astype(np.float32).repeat(2, 0).repeat(2, 1)
    made = {generation_name(1, s): large for s in (0, 1)}
    (found,) = run(prompts((1, 80)), made, [(80, "caption 1", OWN)])
    assert found.record["label"] == "MV"


def test_no_prompt_gives_no_verdict():
    assert run(prompts(), {}, []) == []
