"""The training set on disk is what img2dataset and clip-retrieval write: the stage `inputs` reads it."""

import hashlib
import json
import tarfile

import numpy as np
import pandas as pd
import pytest

from verbatim.inputs import layouts, rows
from verbatim.io.images import decode_image
from verbatim.io.records import read_table
from verbatim.io.training_images import TrainingImages
from verbatim.world.layout import write_embeddings, write_shard, write_style

CAPTIONS = ["red heart", "../../etc/passwd", 'a "quoted"\nline — 😀']


@pytest.fixture
def stack() -> list[np.ndarray]:
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3))
    return list(values.astype(np.float32) / 255)


def test_a_shard_holds_each_image_with_its_caption_and_record(tmp_path, stack):
    write_shard(tmp_path, "00002", stack, CAPTIONS, first_row=200)
    table = pd.read_parquet(tmp_path / "00002.parquet")
    assert list(table.key) == ["000000200", "000000201", "000000202"]
    assert list(table.caption) == CAPTIONS
    assert (table.width == 4).all()
    assert (table.height == 5).all()
    with tarfile.open(tmp_path / "00002.tar") as tar:
        assert len(tar.getnames()) == 9
        for key, caption, image, digest in zip(
            table.key, CAPTIONS, stack, table.sha256, strict=True
        ):
            data = tar.extractfile(f"{key}.png").read()
            np.testing.assert_allclose(decode_image(data), image, atol=1e-6)
            assert hashlib.sha256(data).hexdigest() == digest
            assert tar.extractfile(f"{key}.txt").read().decode() == caption
            assert json.loads(tar.extractfile(f"{key}.json").read())["caption"] == caption
    assert not list(tmp_path.glob("*.tmp"))


def test_a_shard_is_the_same_to_the_byte_when_written_again(tmp_path, stack):
    for name in "ab":
        write_shard(tmp_path / name, "00000", stack, CAPTIONS, 0)
    one, two = ((tmp_path / name / "00000.tar").read_bytes() for name in "ab")
    assert one == two


def test_the_stage_inputs_reads_what_is_written(tmp_path, stack):
    write_shard(tmp_path / "data", "00000", stack, CAPTIONS, 0)
    metadata = pd.read_parquet(tmp_path / "data" / "00000.parquet")
    vectors = np.eye(3, 8, dtype=np.float32)
    write_embeddings(tmp_path, 0, vectors, vectors[[0, 2, 1]], metadata)
    files = layouts.list_files(tmp_path)
    (embeddings,), (metadata_file,) = files.embeddings, files.metadata
    np.testing.assert_array_equal(np.load(embeddings), vectors.astype(np.float16))
    assert list(rows.read_metadata(metadata_file).caption) == CAPTIONS
    written = pd.read_parquet(metadata_file)
    assert list(written.similarity) == [1.0, 0.0, 0.0]
    assert list(written.md5) == list(metadata.sha256)


def test_a_style_is_a_shard_and_a_table_of_its_rows(tmp_path, stack):
    table = tmp_path / "hue" / "rows.parquet"
    write_style(table, stack, CAPTIONS)
    found = read_table(table, "rows")
    assert list(found.caption) == CAPTIONS
    assert list(found.row) == [0, 1, 2]
    with TrainingImages() as reader:
        for one, image in zip(found.itertuples(), stack, strict=True):
            np.testing.assert_allclose(reader.read(one.archive, one.member).image, image, atol=1e-6)
