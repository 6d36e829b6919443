"""A generation is judged alone, by the measures of the labels."""

import io
import tarfile

import made_evidence as made
import numpy as np
import pandas as pd
import pytest

from verbatim.io.images import encode_png, row_name
from verbatim.io.training_images import TrainingImages
from verbatim.labels.checking import Checker, embed_generations, read_wanted, squares_of
from verbatim.labels.fetched_images import FetchedImages, related_rows
from verbatim.labels.label import LabelSettings
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings

SETTINGS = LabelSettings(
    "paper", {"MV": 0.12, "RV": 0.12, "TV": 0.12}, ["MV", "RV", "TV"], MaskSettings(**made.MASK),
    GuardSettings(**made.GUARDS),
)  # fmt: skip


@pytest.fixture
def check():
    training = {row_name(row): image for row, image in made.training_images().items()}
    images = FetchedImages(training.__getitem__, made.make_fetched(), made.SIZE)
    return Checker(images, related_rows(made.make_relatives()), made.SIZE, SETTINGS)


def test_a_copy_of_the_own_image_is_mv_and_of_another_one_rv(check):
    own = check(made.image(5), [6, 7], made.CAPTIONS[5], 5)
    assert (own.record["label"], own.record["source_row"], own.is_copy) == ("MV", 5, True)
    other = check(made.image(6), [6, 7], "never trained on", -1)
    assert (other.record["label"], other.record["source_row"]) == ("RV", 6)


def test_nothing_near_is_no_copy_and_the_nearest_come_in_order(check):
    found = check(made.image(4000), [6, 7, 8])
    assert not found.is_copy
    assert sorted(one.row for one in found.nearest) == [6, 7, 8]
    apart = [one.distance for one in found.nearest]
    assert apart == sorted(apart)
    assert found.record["distance"] == pytest.approx(apart[0])


def test_a_copy_under_a_mask_is_found_by_the_relatives_of_a_neighbour(check):
    changed = made.image(3).copy()
    changed[30:] = 1 - changed[30:]
    found = check(changed, [3])
    assert found.is_copy
    assert made.PARTNER in {one.row for one in found.nearest}


def test_a_generation_without_any_readable_training_image_is_missing_and_no_copy(check):
    found = check(made.image(1), [999])
    assert (found.record["label"], found.is_copy, found.nearest) == ("missing", False, [])


def test_training_images_are_read_from_their_archives_and_a_lost_one_is_recorded(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        data = encode_png(made.image(1))
        info = tarfile.TarInfo("000.png")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    rows = pd.DataFrame(
        {"row": [1, 2], "caption": ["one", "two"], "archive": [str(tmp_path / "a.tar"), ""], "member": ["000", ""]}
    )  # fmt: skip
    with TrainingImages() as archives:
        images = read_wanted(rows, archives, made.SIZE)
        found = images.squares([1, 2], "one", -1)
        assert found.rows.tolist() == [1]
        assert found.own.tolist() == [True]
        np.testing.assert_allclose(found.images[0], made.image(1), atol=1e-6)
        assert "no archive holds this row" in images.unreadable[2]
        squares = squares_of(rows, archives, 8)
        assert [one.shape for one in squares(1)] == [(8, 8, 3)]
        assert squares(2) == []


def test_embeddings_are_the_same_whatever_the_batch():
    images = [made.image(i) for i in range(5)]

    def embed(stack, batch):
        return stack.mean(axis=(1, 2))

    whole, cut = (embed_generations(embed, iter(images), 16, batch) for batch in (10, 2))
    np.testing.assert_allclose(whole, cut)
    assert whole.shape == (5, 3)
    assert not len(embed_generations(embed, [], 16, 2))
