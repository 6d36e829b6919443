"""Features on disk: found again by image, and read only as far as they are asked for."""

import numpy as np
import pytest

from verbatim.io.pool_features import Described, FeatureError, PoolFeatures, complexity_of
from verbatim.models.descriptors import cut

RNG = np.random.default_rng(0)
N = 12
WORLD = RNG.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)


def describe(images: np.ndarray) -> Described:
    """A descriptor that anyone can work out: the colours about grey, at unit length."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255 - 0.5
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return Described(unit, cut(unit, 4))


def pool() -> PoolFeatures:
    described = {"clip": describe(WORLD), "sscd": describe(255 - WORLD)}
    return PoolFeatures(np.arange(N), described, complexity_of(WORLD), np.zeros((N, 0)))


def test_features_are_found_again_by_image(tmp_path):
    one = pool()
    one.write(tmp_path / "features.npz")
    again = PoolFeatures.read(tmp_path / "features.npz")
    for name in ("clip", "sscd"):
        np.testing.assert_array_equal(
            again.of([5, 3])[name].chunks, one.described[name].chunks[[5, 3]]
        )
    assert again.complexity == one.complexity
    (tmp_path / "features.npz").write_bytes(b"nothing")
    for path in ("features.npz", "missing.npz"):
        with pytest.raises(FeatureError, match=f"{path}: not a file of features .*embed_pool"):
            PoolFeatures.read(tmp_path / path)


def test_features_that_are_not_asked_for_are_not_read(tmp_path, monkeypatch):
    path, read = tmp_path / "features.npz", []
    pool().write(path)
    load = np.lib.npyio.NpzFile.__getitem__
    monkeypatch.setattr(
        np.lib.npyio.NpzFile, "__getitem__", lambda self, key: read.append(key) or load(self, key)
    )
    bare = PoolFeatures.read(path, [], inception=False)
    assert bare.complexity == pool().complexity
    assert (bare.described, bare.inception.shape) == ({}, (N, 0))
    assert set(read) == {"image_id", "complexity:entropy", "complexity:jpeg_bytes"}
    one = PoolFeatures.read(path, ["sscd"])
    assert list(one.of([3])) == ["sscd"]
    assert not {"whole:clip", "chunks:clip"} & set(read)
    with pytest.raises(FeatureError, match="whole:dino"):
        PoolFeatures.read(path, ["dino"])
