"""Scores, samplers and search on a GPU beside the CPU: `make test-gpu`.

Without a card the same tests run on the CPU beside itself, so that they cannot rot; what they then show is that they run.
"""

import faiss
import numpy as np
import pandas as pd
import pytest
import torch

from verbatim.dedup.exact import ExactSearch, Products
from verbatim.dedup.pairs import PairSettings
from verbatim.io.search import Embeddings, clone_to_gpu, gpu_state
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.whitebox.dcs import score_captions

pytestmark = pytest.mark.gpu

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CAPTIONS = ["red heart", "a cat", "two dogs", "", "a plate"]
SEEDS = [0, 7]


@pytest.fixture(scope="module", params=["sd", "if"])
def both(request, tiny_sd, tiny_if):
    """The same checkpoint on the CPU and on the card."""
    folder = {"sd": tiny_sd, "if": tiny_if}[request.param]
    return [load_denoiser(folder, request.param, device) for device in ("cpu", DEVICE)]


def test_scores_are_those_of_the_cpu(both):
    cpu, card = (list(score_captions(d, CAPTIONS, SEEDS, 7.5, 4)) for d in both)
    for one, other in zip(cpu, card, strict=True):
        for name, value in one.scores.items():
            np.testing.assert_allclose(other.scores[name], value, rtol=1e-4, err_msg=name)


def test_full_generations_are_those_of_the_cpu(both):
    how = Sampling(steps=3, guidance=3.0)
    cpu, card = (list(generate(d, CAPTIONS, SEEDS, how, batch=4)) for d in both)
    for one, other in zip(cpu, card, strict=True):
        assert one[:2] == other[:2]
        assert abs(one[2] - other[2]).max() <= 1.5 / 255  # one grey level


def test_one_step_generations_are_those_of_the_cpu(both):
    cpu, card = (list(generate_one_step(d, CAPTIONS, SEEDS, 3.0, 4)) for d in both)
    assert len(cpu) == len(card) > 0
    for one, other in zip(cpu, card, strict=True):
        assert one[:2] == other[:2]
        assert abs(one[2] - other[2]).max() <= 3.5 / 255


def test_neighbours_of_a_compressed_index_are_those_of_the_cpu():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4000, 32)).astype(np.float32)
    faiss.normalize_L2(x)
    index = faiss.index_factory(32, "IVF16,PQ16x8np", faiss.METRIC_INNER_PRODUCT)
    index.train(x)
    index.add(x)
    index.nprobe = 8
    near, rows = index.search(x[:200], 10)
    card = clone_to_gpu(index) if not gpu_state() else index
    card_near, card_rows = card.search(x[:200], 10)
    np.testing.assert_allclose(card_near, near, atol=1e-3)
    same = [len(set(a) & set(b)) / 10 for a, b in zip(rows, card_rows, strict=True)]
    assert np.mean(same) > 0.99  # equal similarities may change places


def test_pairs_of_an_exact_search_are_those_of_the_cpu(tmp_path):
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((700, 64))
    x = np.concatenate([centers, centers[:300] + 0.3 * rng.standard_normal((300, 64))])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    np.save(tmp_path / "img_emb_0.npy", x.astype(np.float16))
    stored, rows = Embeddings([tmp_path / "img_emb_0.npy"], [0]), np.arange(len(x))
    settings = PairSettings(4, 100, 0.95, 0.4, 0, 1)
    cpu, card = (
        pd.concat(ExactSearch(stored, lambda: [rows], settings, how, 1 << 24).pairs(rows))
        for how in (Products("", 100), Products(DEVICE, 300))
    )
    pairs = [found.sort_values(["row_a", "row_b"], ignore_index=True) for found in (cpu, card)]
    pd.testing.assert_frame_equal(*pairs, check_exact=True)
    assert len(cpu) > 300


@pytest.mark.skipif(
    DEVICE == "cpu", reason="the CPU's memory is not filled: test_fitting.py has a stand-in"
)
def test_a_batch_that_the_card_cannot_hold_is_halved(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cuda")
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(int(free * 0.9), dtype=torch.uint8, device="cuda")
    x = torch.randn(1, *d.shape).expand(20_000, *d.shape)
    found = d.predict(x, d.sigma_max, d.encode(["red heart"]))
    assert len(found) == 20_000
    assert held.numel() > 0
