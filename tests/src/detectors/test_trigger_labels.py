"""What the generations of triggered prompts are labelled, and which of them repeat."""

import numpy as np
import pandas as pd

from verbatim.detectors.trigger_labels import cluster_repeats, different_rows, label_images
from verbatim.detectors.trigger_sheet import choose_shown, list_shown, plot_shown
from verbatim.io.privacy import Privacy
from verbatim.labels.label import LabelSettings
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings

RNG = np.random.default_rng(0)
GUARDS = GuardSettings(
    near_constant=0.98, flat_range=0.03, white=0.95, edge_density=2.0, edge_step=0.1
)
MASK = MaskSettings(
    low=0.02, high=0.3, difference=0.03, erode=1, dilate=1, min_area=0.3, partners=3, sources=5
)
SETTINGS = LabelSettings(
    "paper", {"MV": 0.12, "RV": 0.12, "TV": 0.12}, ["MV", "RV", "TV"], MASK, GUARDS
)


def noisy(image, scale=0.05):
    return np.clip(image + RNG.normal(0, scale, image.shape), 0, 1)


def family():
    """Two training images of one template, which differ in their upper quarter, and a generation with another one there."""
    base = RNG.random((16, 16, 3))
    one, two, made = base.copy(), base.copy(), noisy(base, 0.02)
    for image in (one, two, made):
        image[:4] = RNG.random((4, 16, 3))
    return one, two, made


def test_an_exact_copy_is_retrieved_a_template_needs_the_mask_and_others_are_no_copies():
    one, two, of_family = family()
    others = RNG.random((20, 16, 16, 3))
    training = np.concatenate([[one, two], others])
    rows = np.arange(100, 122)
    images = np.stack([noisy(others[7]), of_family, RNG.random((16, 16, 3))])
    found = pd.DataFrame(label_images(images, rows, training, 10, SETTINGS))
    assert found["label"].tolist() == ["RV", "TV", "N"]
    assert found["source_row"].iloc[0] == 109
    assert found["source_row"].iloc[1] in (100, 101)
    assert found["nearest_row"].iloc[0] == 109
    assert found["nearest"].iloc[1] > 0.12 > found["distance"].iloc[1]
    assert (found["nearest"].iloc[:1] <= 0.12).all()


def test_the_nearest_training_image_is_found_among_all_wherever_it_stands():
    training = RNG.random((50, 8, 8, 3))
    places = [0, 17, 49]
    images = np.stack([noisy(training[i], 0.01) for i in places])
    found = pd.DataFrame(label_images(images, np.arange(50), training, 2, SETTINGS))
    assert found["nearest_row"].tolist() == places
    assert found["label"].tolist() == ["RV"] * 3


def test_generations_that_repeat_are_a_cluster_from_the_least_number_on():
    thrice, twice = RNG.random((2, 8, 8, 3))
    images = [
        noisy(thrice),
        noisy(twice),
        noisy(thrice),
        RNG.random((8, 8, 3)),
        noisy(twice),
        noisy(thrice),
    ]
    assert cluster_repeats(np.stack(images), 0.12, 3).tolist() == [0, -1, 0, -1, -1, 0]
    assert cluster_repeats(np.stack(images), 0.12, 2).max() == 1
    assert cluster_repeats(np.zeros((0, 8, 8, 3)), 0.12, 3).tolist() == []


def test_equal_training_images_are_compared_once_under_their_first_row():
    images = RNG.random((3, 4, 4, 3))[[0, 1, 0, 2]]
    rows, different = different_rows([5, 6, 7, 8], images)
    assert rows.tolist() == [5, 6, 8]
    np.testing.assert_array_equal(different, images[[0, 1, 3]])


def prompts(count):
    ids = list(range(10, 10 + count))
    return pd.DataFrame(
        {"prompt_id": ids, "prompt": [f"prompt {i}" for i in ids], "place": range(count)}
    )


def labels(ids):
    lines = [
        {"prompt_id": key, "seed": seed, "label": "RV" if key == 10 else "N", "nearest": 0.3 - 0.1 * seed, "nearest_row": key + seed}
        for key in ids for seed in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def test_the_sheet_shows_prompts_from_the_first_to_the_last_and_of_each_the_nearest_generation():
    chosen = choose_shown(prompts(9), labels(range(10, 18)), 3)
    assert [text for text, _ in chosen] == ["prompt 10", "prompt 14", "prompt 17"]  # 18 has none
    assert [int(line["seed"]) for _, line in chosen] == [1, 1, 1]
    assert choose_shown(prompts(2), labels([]).reindex(columns=labels([10]).columns), 3) == []


def test_images_that_may_not_be_shown_are_left_out_of_the_sheet():
    chosen = choose_shown(prompts(2), labels([10, 11]), 2)
    asked = []

    def training(row):
        asked.append(row)
        return np.zeros((4, 4, 3))

    plain = list_shown(chosen, lambda key, seed: np.ones((4, 4, 3)), training, Privacy())
    assert asked == [11, 12]
    assert plain[0].title == "prompt 10\ncopy, RMSE 0.20"
    hidden = list_shown(chosen, lambda key, seed: np.ones((4, 4, 3)), training, Privacy("none"))
    assert [(one.generation, one.training) for one in hidden] == [(None, None)] * 2
    figure = plot_shown({"gibbs": plain, "random": hidden})
    assert sum(len(ax.get_images()) for ax in figure.axes) == 4
