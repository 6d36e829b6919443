"""What of other people's images may be shown: one answer for every output."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verbatim.io.privacy import Privacy, PrivacyError, blur, read_privacy
from verbatim.io.seals import DamagedError

IMAGE = np.random.default_rng(0).random((32, 24, 3), dtype=np.float32)


@pytest.fixture
def prompts(tmp_path):
    pd.DataFrame({"prompt_id": [1, 2], "caption": ["a", "b"]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"prompt_id": [3]}).to_parquet(tmp_path / "b.parquet")
    return [tmp_path / "a.parquet", tmp_path / "b.parquet"]


def test_in_full_everything_is_shown_as_it_is():
    privacy = Privacy()
    assert privacy.image(1, IMAGE) is IMAGE
    assert privacy.mask(1, IMAGE[:, :, 0] > 0.5) is not None
    assert privacy.url(1, "https://x.invalid") == "https://x.invalid"


@pytest.mark.parametrize("level", ["blurred", "none"])
def test_hidden_prompts_have_no_address_no_mask_and_no_image_that_can_be_recognised(level):
    privacy = Privacy(level)
    assert privacy.url(1, "https://x.invalid") == ""
    assert privacy.mask(1, IMAGE[:, :, 0] > 0.5) is None
    shown = privacy.image(1, IMAGE)
    if level == "none":
        assert shown is None
    else:
        assert shown is not None
        assert shown.shape == IMAGE.shape
        assert shown.std(axis=(0, 1)).max() < 0.2 * IMAGE.std()
    assert privacy.image(1, None) is None


def test_only_the_named_prompts_are_hidden():
    privacy = Privacy("none", frozenset([2]))
    assert privacy.image(1, IMAGE) is IMAGE
    assert privacy.image(2, IMAGE) is None
    assert privacy.strictest([1, 2]) == "none"
    assert privacy.strictest([1]) == privacy.strictest([]) == "full"


def test_a_known_id_is_taken_and_a_mistyped_one_is_refused_by_name(prompts):
    assert read_privacy("blurred", [1, 3], prompts) == Privacy("blurred", frozenset([1, 3]))
    with pytest.raises(PrivacyError, match=r"privacy.only has \[30\]"):
        read_privacy("blurred", [3, 30], prompts)


def test_a_bit_that_flipped_in_a_table_makes_no_mistyped_id_known(tmp_path):
    path = tmp_path / "labels.parquet"
    ids = pa.table({"prompt_id": [0x1234_5678_9ABC]})
    pq.write_table(
        ids,
        path,
        use_dictionary=False,
        compression="none",
        write_statistics=False,
        write_page_checksum=True,
    )
    data = path.read_bytes()
    at = data.index((0x1234_5678_9ABC).to_bytes(8, "little"))
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    with pytest.raises(DamagedError, match=r"labels\.parquet"):
        read_privacy("blurred", [0x1234_5678_9ABD], [path])


def test_without_named_prompts_no_table_is_needed():
    assert read_privacy("blurred", [], []) == Privacy("blurred")


def test_a_blurred_image_cannot_be_told_from_another_of_the_same_mean_colour():
    """Two faces, so to say: what is left of their difference is a few per cent."""
    other = np.random.default_rng(1).random((32, 24, 3), dtype=np.float32)
    before, after = (np.abs(a - b).mean() for a, b in ((IMAGE, other), (blur(IMAGE), blur(other))))
    assert after < 0.1 * before
