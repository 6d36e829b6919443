from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_embeddings import copies_of, embeddings, index_in_parts, index_of
from made_inputs import random_units, unit

from verbatim.dedup.components import find_clusters
from verbatim.dedup.pairs import Neighbourhood, PairSettings, find_pairs, rows_a_pass
from verbatim.io.search import Embeddings

SETTINGS = PairSettings(
    k=16, most_neighbours=64, threshold=0.95, relatives_threshold=0.8, margin=1e-3, batch=64
)


def near(center: np.ndarray, n: int, noise: float, seed: int) -> np.ndarray:
    """n vectors around a center: none equal to another in float16."""
    rng = np.random.default_rng(seed)
    return unit(center + noise * rng.normal(size=(n, len(center))))


def world() -> np.ndarray:
    """Groups of equal, of near and of related vectors among others, shuffled."""
    centers = random_units(12, 32, seed=5)
    parts = [np.tile(centers[0], (9, 1)), np.tile(centers[1], (2, 1))]
    parts += [near(centers[i], 5, 0.01, i) for i in (2, 3, 4)]
    parts += [near(centers[i], 4, 0.08, i) for i in (5, 6, 7, 8)]
    parts += [random_units(60, 32, seed=6)]
    vectors = np.concatenate(parts)
    return vectors[np.random.default_rng(7).permutation(len(vectors))]


def search(
    folder: Path,
    vectors: np.ndarray,
    cuts: list[int],
    factory: str = "Flat",
    parts: list[int] | None = None,
    memory: int = 1 << 30,
    **more,
) -> tuple[Embeddings, list[Neighbourhood]]:
    """All shards' pairs; the index lies in parts that begin before the rows `parts`, if given."""
    folder.mkdir(exist_ok=True)
    stored = embeddings(folder, vectors, cuts)
    shards = np.split(np.arange(len(vectors)), cuts)
    copies = copies_of(stored, shards, folder)
    rows = np.setdiff1d(np.arange(len(vectors)), copies["row"])
    if parts is None:
        index = index_of(stored, rows, factory)
    else:
        pieces = np.split(rows, np.searchsorted(rows, parts))
        index = index_in_parts(folder, stored, pieces, factory)
    settings = replace(SETTINGS, **more)
    return stored, [find_pairs(index, stored, rows, copies, settings, memory) for rows in shards]


def clusters_of(
    found: list[Neighbourhood], n_rows: int, folder: Path, threshold: float = 0.95
) -> pd.DataFrame:
    kept = [f.pairs[f.pairs["similarity"] >= threshold] for f in found]
    pairs = [(p["row_a"].to_numpy(), p["row_b"].to_numpy()) for p in kept]
    return pd.concat(list(find_clusters(pairs, n_rows, folder, 1 << 30)), ignore_index=True)


def test_pairs_are_those_of_brute_force_but_for_what_goes_through_a_copy(tmp_path: Path):
    stored, found = search(tmp_path, world(), [30, 70], k=60, most_neighbours=60)
    raw = stored.take(np.arange(stored.n_rows)).astype(np.float64)
    raw /= np.linalg.norm(raw, axis=1, keepdims=True)
    bits = stored.take(np.arange(stored.n_rows)).view(np.uint16)
    first = [next(j for j in range(i + 1) if (bits[j] == bits[i]).all()) for i in range(len(raw))]
    want = {}
    for b in range(len(raw)):
        for a in range(b):
            distinct = first[a] == a and first[b] == b
            if raw[a] @ raw[b] >= 0.8 and (distinct or first[b] == a):
                want[a, b] = raw[a] @ raw[b]
    got = pd.concat([f.pairs for f in found]).drop_duplicates(["row_a", "row_b"])
    assert {(a, b) for a, b in zip(got["row_a"], got["row_b"], strict=True)} == set(want)
    for a, b, similarity in got.itertuples(index=False):
        assert similarity == pytest.approx(want[a, b], abs=1e-6)
    assert (got["row_a"] < got["row_b"]).all()
    assert len(want) > 40


@pytest.mark.parametrize(
    "factory", ["Flat", "IVF4,Flat", pytest.param("IVF4,PQ8x4", marks=pytest.mark.slow)]
)
def test_pairs_do_not_depend_on_shards_parts_batches_and_memory(tmp_path: Path, factory):
    results, cuts = [], [1, 2, 50, 51, 80]
    settings = (
        ([], {"batch": 1000}),
        (cuts, {"batch": 1000, "parts": [20, 60]}),
        (cuts, {"batch": 7, "parts": [*cuts, 70]}),
        (cuts, {"batch": 7, "memory": 1, "parts": []}),
    )
    for i, (these, more) in enumerate(settings):
        _, found = search(tmp_path / str(i), world(), these, factory, margin=0.3, **more)
        pairs = pd.concat([f.pairs for f in found])
        results.append(pairs.drop_duplicates().sort_values(["row_a", "row_b"], ignore_index=True))
    for other in results[1:]:
        pd.testing.assert_frame_equal(results[0], other)


def test_a_pass_over_the_index_fits_into_memory_and_is_of_whole_batches():
    assert rows_a_pass(768, 64, 1024, 1 << 30) == 192 * 1024
    assert rows_a_pass(768, 64, 1024, 1) == 1024  # a batch at least


def test_each_pair_stands_once_a_shard(tmp_path: Path):
    _, found = search(tmp_path, world(), [])
    assert not found[0].pairs.duplicated(["row_a", "row_b"]).any()


@pytest.mark.parametrize("cuts", [[], [100, 350]])
def test_a_group_of_500_equal_rows_is_one_cluster_with_16_neighbours(tmp_path: Path, cuts):
    vectors = np.concatenate([random_units(100, 32), np.tile(random_units(1, 32, 9), (500, 1))])
    order = np.random.default_rng(0).permutation(600)
    _, found = search(tmp_path, vectors[order], cuts)
    clusters = clusters_of(found, 600, tmp_path)
    assert set(clusters["row"]) == set(np.flatnonzero(order >= 100))
    assert set(clusters["cluster"]) == {np.flatnonzero(order >= 100)[0]}
    assert sum(f.full + f.cut for f in found) == 0
    assert sum(len(f.pairs) for f in found) < 600  # not 500 * 499 / 2


@pytest.mark.parametrize("cuts", [[], [100, 350]])
def test_a_group_of_540_near_rows_is_one_cluster_with_4_neighbours(tmp_path: Path, cuts):
    # sixty tight knots of nine in one group: each row's nearest are its own knot and a few more
    center = random_units(1, 64, 9)[0]
    knots = near(center, 60, 0.01, 1)
    group = np.concatenate([near(knot, 9, 0.0015, i) for i, knot in enumerate(knots)])
    vectors = np.concatenate([random_units(60, 64), group])
    order = np.random.default_rng(0).permutation(600)
    _, found = search(tmp_path / "more", vectors[order], cuts, k=4, most_neighbours=540)
    clusters = clusters_of(found, 600, tmp_path)
    assert set(clusters["row"]) == set(np.flatnonzero(order >= 60))
    assert clusters["cluster"].nunique() == 1
    assert sum(f.full for f in found) == 540
    assert sum(f.cut for f in found) == 0
    assert sum(len(f.pairs) for f in found) < 540 * (2 * 4 + 1)
    # without the second search it falls into pieces, and says so
    _, cut = search(tmp_path / "less", vectors[order], cuts, k=4, most_neighbours=4)
    assert clusters_of(cut, 600, tmp_path)["cluster"].nunique() > 1
    assert sum(f.cut for f in cut) == 540


def test_a_group_larger_than_most_neighbours_is_counted(tmp_path: Path):
    vectors = near(random_units(1, 32)[0], 100, 0.005, 0)
    _, found = search(tmp_path, vectors, [], most_neighbours=50)
    assert (found[0].full, found[0].cut) == (100, 100)


def test_a_row_in_a_large_group_still_sees_its_relatives(tmp_path: Path):
    center, other = random_units(2, 32)
    between = unit((center * 0.9 + other * 0.45)[None])
    vectors = np.concatenate([near(center, 40, 0.005, 0), between])
    _, found = search(tmp_path, vectors, [])
    pairs = found[0].pairs
    relatives = pairs[pairs["row_b"] == 40]
    assert len(relatives) == 40
    assert relatives["similarity"].between(0.8, 0.95).all()
    assert found[0].full == 40


@pytest.mark.slow
def test_a_compressed_index_stores_cosines_of_the_raw_vectors(tmp_path: Path):
    vectors = np.concatenate([world(), random_units(400, 32, seed=8)])
    stored, found = search(tmp_path / "pq", vectors, [200], "IVF4,PQ8x4", margin=0.3)
    _, exact = search(tmp_path / "flat", vectors, [200])
    pairs = pd.concat([f.pairs for f in found]).drop_duplicates()
    want = stored.cosines(pairs["row_a"].to_numpy(), pairs["row_b"].to_numpy())
    copies = copies_of(stored, [np.arange(len(vectors))], tmp_path)
    np.testing.assert_array_equal(pairs["similarity"], want)
    truth = pd.concat([f.pairs for f in exact]).drop_duplicates()
    found_too = truth.merge(pairs, on=["row_a", "row_b"])
    assert len(found_too) >= 0.9 * len(truth)
    assert len(found_too) == len(pairs)  # what it finds beside is not above the threshold
    assert len(copies) == 9


def test_rows_without_an_embedding_have_no_pairs(tmp_path: Path):
    vectors = np.tile(random_units(1), (4, 1))
    vectors[2] = np.nan
    stored = embeddings(tmp_path, vectors, [])
    rows = np.array([0, 1, 3])
    copies = copies_of(stored, [rows], tmp_path)
    found = find_pairs(index_of(stored, np.array([0])), stored, rows, copies, SETTINGS)
    assert found.pairs[["row_a", "row_b"]].to_numpy().tolist() == [[0, 1], [0, 3]]
    none = find_pairs(index_of(stored, np.array([0])), stored, rows[:0], copies, SETTINGS)
    assert none.pairs.empty
