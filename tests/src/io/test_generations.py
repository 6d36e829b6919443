"""The generations of a run: their images in the order of the table, and the sample."""

import numpy as np
import pandas as pd
import pytest

from verbatim.io.generations import (
    RunError,
    in_sample,
    read_generations,
    sample_similarities,
)
from verbatim.io.images import ImageArchive, write_archive

WORLD = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)


def test_the_sample_is_one_image_a_caption_by_every_descriptor():
    generations = pd.DataFrame({"generation": [0, 1, 2, 3], "kind": ["one", "more", "one", "more"]})
    rows = [(g, name) for name in ("clip", "pixels") for g in (3, 2, 1, 0)]
    similarities = pd.DataFrame(rows, columns=["generation", "descriptor"])
    assert in_sample(generations).tolist() == [True, False, True, False]
    found = sample_similarities(similarities, generations)
    assert found.values.tolist() == [[2, "clip"], [0, "clip"], [2, "pixels"], [0, "pixels"]]
    assert sample_similarities(similarities, generations.iloc[:0]).empty


def test_a_run_without_images_is_refused_by_file_and_cure(tmp_path):
    path = tmp_path / "images.zip"
    write_archive(path, [("0.png", WORLD[0])])
    table = pd.DataFrame({"generation": [0, 1]})
    with ImageArchive(path) as archive:
        np.testing.assert_array_equal(read_generations(archive, table[:1], 8), WORLD[:1])
        assert read_generations(archive, table[:1], 4).shape == (1, 4, 4, 3)
        with pytest.raises(RunError, match=r"images\.zip: its generations\.parquet has no rows"):
            read_generations(archive, table[:0], 8)
        with pytest.raises(RunError, match=r"images\.zip: no 1\.png, .*generate_point"):
            read_generations(archive, table, 8)
