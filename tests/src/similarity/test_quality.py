"""The Frechet distance and the CLIP score against formulas worked out here by other means."""

import hashlib

import numpy as np
import pytest
import scipy.linalg
import torch

from verbatim.models.descriptor_specs import DescriptorError
from verbatim.similarity.quality import Inception, clip_score, frechet_distance

RNG = np.random.default_rng(0)


def by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """Heusel 2017, eq. 6, by scipy's matrix square root."""
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    difference = a.mean(0) - b.mean(0)
    root = scipy.linalg.sqrtm(ca @ cb)
    return float(difference @ difference + np.trace(ca + cb - 2 * np.real(root)))


def test_frechet_distance_is_scipys():
    a = RNG.normal(size=(80, 6))
    b = RNG.normal(size=(60, 6)) @ RNG.normal(size=(6, 6)) + 0.5
    assert frechet_distance(a, b) == pytest.approx(by_scipy(a, b), rel=1e-8)


def test_frechet_distance_of_one_dimension_is_the_closed_form():
    a, b = RNG.normal(1, 2, (500, 1)), RNG.normal(3, 1, (400, 1))
    want = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-9)


def test_frechet_distance_of_a_set_to_itself_is_none_and_grows_with_what_differs():
    a = RNG.normal(size=(100, 4))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)
    near, far = (frechet_distance(a, a + shift) for shift in (0.1, 0.2))
    assert near == pytest.approx(4 * 0.1**2, abs=1e-6)
    assert far == pytest.approx(4 * 0.2**2, abs=1e-6)
    assert np.isnan(frechet_distance(a[:1], a))


class FourNumbers(torch.nn.Module):
    """Stands for Inception: called as NVIDIA's file is, mean colour and the highest value."""

    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert return_features
        values = x.float()
        return torch.cat([values.mean([2, 3]), values.amax([1, 2, 3]).unsqueeze(1)], 1)


def test_inception_is_asked_with_bytes_and_only_under_its_digest(tmp_path):
    path = tmp_path / "inception.pt"
    torch.jit.script(FourNumbers()).save(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    images = RNG.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    features = Inception(path, digest).features(images, batch=2)
    np.testing.assert_allclose(features[:, :3], images.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(features[:, 3], images.max(axis=(1, 2, 3)))
    with pytest.raises(DescriptorError, match=r"similarity\.inception.*not 00"):
        Inception(path, "0" * 64)
    other = tmp_path / "other.pt"
    other.write_bytes(b"no archive")
    with pytest.raises(DescriptorError, match="no TorchScript file"):
        Inception(other, hashlib.sha256(b"no archive").hexdigest())


def test_clip_score_is_a_hundred_times_the_mean_cosine(sweep_clip):
    from verbatim.models.clip import ClipEmbedder

    clip = ClipEmbedder(sweep_clip)
    images = RNG.uniform(size=(6, 16, 16, 3)).astype(np.float32)
    captions = ["red heart", "dog face", "a red heart", "cat", "dog", "red"]
    value, each = clip_score(clip, images, captions)
    embedded, texts = clip.embed_images(images), clip.embed_texts(captions)
    cosines = [float(a @ b) for a, b in zip(embedded, texts, strict=True)]
    np.testing.assert_allclose(each, [100 * c for c in cosines], atol=1e-4)
    assert value == pytest.approx(max(0, 100 * float(np.mean(cosines))), abs=1e-4)
    value, each = clip_score(clip, images[:0], [])
    assert np.isnan(value)
    assert len(each) == 0
