"""Rule plot_claims on made files: a figure of each name, and what it is of."""

import numpy as np
import pandas as pd
import pytest
from made_claims import BASE, LEVELS, made_clusters, made_measures

from verbatim.io.pool_features import Described, PoolFeatures
from verbatim.io.records import write_table
from verbatim.metrics.complexity import MEASURES

N = 12
FIGURES = [
    "duplication", "conditioning", "data", "length", "mitigations_training", "mitigations_inference", "attacks",
    "complexity", "clusters", "membership", "relative", "users",
]  # fmt: skip


def write_run(folder, more):
    """Similarities of a sample of N images, and of `more` further ones that are copies of image 3."""
    rng = np.random.default_rng(0)
    n = np.arange(N + more)
    first = n < N
    generations = {
        "generation": n, "image_id": n % N, "caption": "c", "prompt": "c", "gen_seed": n, "planted": False,
        "member": True, "kind": np.where(first, "one", "more"), "size": 16,
    }  # fmt: skip
    similarities = {
        "generation": n, "descriptor": "clip", "similarity": np.where(first, rng.random(len(n)), 1.0),
        "match": np.where(first, n % N, 3), "split": 0.1, "cross": 0.1, "rmse": 0.1, "own_rmse": 0.1,
    }  # fmt: skip
    write_table(folder / "generations.parquet", "mitigation_generations", pd.DataFrame(generations))
    write_table(folder / "similarities.parquet", "similarity_matches", pd.DataFrame(similarities))


@pytest.fixture
def plot(run_script, tmp_path):
    """Draws the figures of a run with so many further images; returns the bytes of each."""
    pool = {
        "image_id": range(N), "caption": "c", "group": "g", "order": range(N), "planted": False, "held_out": False,
    }  # fmt: skip
    write_table(tmp_path / "pool.parquet", "sweep_pool", pd.DataFrame(pool))
    write_table(tmp_path / "measures.parquet", "run_measures", made_measures())
    write_table(tmp_path / "clusters.parquet", "similarity_clusters", made_clusters())
    vectors = {"clip": Described(np.eye(N, dtype=np.float32), np.zeros((N, 1, N), np.float32))}
    complexity = {name: np.arange(N) + 1.0 for name in MEASURES}
    features = PoolFeatures(np.arange(N), vectors, complexity, np.zeros((N, 0)))
    features.write(tmp_path / "features.npz")
    names = ("measures", "pool", "similarities", "generations")
    points = [{"point": name, **BASE, "half": -1, **less} for name, (less, _) in LEVELS.items()]

    def run(more):
        write_run(tmp_path, more)
        run_script(
            "claims/plot_claims.py",
            input={name: tmp_path / f"{name}.parquet" for name in names}
            | {"features": tmp_path / "features.npz", "clusters": [tmp_path / "clusters.parquet"]},
            output={"png": [tmp_path / str(more) / f"{name}.png" for name in FIGURES]},
            params={
                "figures": FIGURES, "points": points, "base": BASE, "defended": ["none", "full10"],
                "defences": ["gni", "rt"], "descriptor": "clip", "complexity_of": "none",
                "without_captions": {}, "resamples": 20, "confidence": 0.95, "dpi": 60,
            },
        )  # fmt: skip
        return {name: (tmp_path / str(more) / f"{name}.png").read_bytes() for name in FIGURES}

    return run


@pytest.mark.slow
def test_every_figure_is_drawn_and_further_images_of_a_caption_change_none(plot):
    alone, more = plot(0), plot(30)
    assert all(png.startswith(b"\x89PNG") for png in alone.values())
    assert alone == more
