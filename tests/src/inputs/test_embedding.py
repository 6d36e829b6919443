from pathlib import Path

import numpy as np
import pytest
from made_inputs import png, write_tar

from verbatim.inputs.embedding import crop_square, embed_members


def mean_color(images: np.ndarray) -> np.ndarray:
    """A stand-in for CLIP: (b, 2), mean and its complement."""
    mean = images.mean(axis=(1, 2, 3))
    return np.stack([mean, 1 - mean], axis=1)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_row_without_a_image_gets_zeros_and_the_others_keep_their_place(tmp_path: Path, batch):
    members = {f"{i}.png": png(51 * i, (4 + i, 9 - i)) for i in (1, 2, 4)} | {"3.png": b"broken"}
    tar = str(write_tar(tmp_path / "00000.tar", members))
    names = [f"{i}.png" for i in range(5)]
    got, missing = embed_members([tar] * 5, names, mean_color, (8, 2, batch))
    np.testing.assert_allclose(got[[1, 2, 4], 0], [0.2, 0.4, 0.8], atol=1e-5)
    assert not got[[0, 3]].any()
    assert sorted(missing) == [0, 3]
    assert missing[0].startswith("missing: ")
    assert "'3.png'" in missing[3]


def test_the_middle_is_cut_out_and_a_long_strip_costs_no_memory():
    image = np.zeros((10, 30, 3), dtype=np.float32)
    image[:, 10:20] = 1
    np.testing.assert_allclose(crop_square(image, 10), 1)
    assert crop_square(np.ones((1, 500_000, 3), np.float32), 224).shape == (224, 224, 3)
    assert crop_square(np.ones((9, 5, 3), np.float32), 16).shape == (16, 16, 3)
