from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples
from made_embeddings import copies_of, embeddings
from made_inputs import random_units, unit

from verbatim.dedup.components import find_clusters
from verbatim.dedup.exact import (
    ERROR,
    HALF_ERROR,
    ExactSearch,
    Products,
    choose_search,
    follows,
    regroup,
    share_that_follows,
)
from verbatim.dedup.held_pairs import Held, HeldPairs, spanning_forest
from verbatim.dedup.pairs import PairSettings, copy_pairs
from verbatim.io.search import Embeddings

SETTINGS = PairSettings(
    k=4, most_neighbours=1000, threshold=0.95, relatives_threshold=0.8, margin=0, batch=1
)
HALF = "cpu"  # PyTorch's half precision, which a GPU has too


def group(center: np.ndarray, n: int, noise: float, seed: int) -> np.ndarray:
    """n vectors around a center."""
    change = np.random.default_rng(seed).normal(size=(n, len(center))) / np.sqrt(len(center))
    return unit(center + noise * change)


def made(sizes: list[int], noise: float, seed: int, dim: int = 24) -> np.ndarray:
    """Groups of these sizes around distinct centers, shuffled; one vector in eight again, one in nine zero."""
    rng = np.random.default_rng(seed)
    centers = random_units(len(sizes), dim, seed)
    parts = [group(c, n, noise, i) for i, (c, n) in enumerate(zip(centers, sizes, strict=True))]
    vectors = np.concatenate(parts)[rng.permutation(sum(sizes))].astype(np.float16)
    vectors[rng.random(len(vectors)) < 1 / 8] = vectors[0]
    vectors[rng.random(len(vectors)) < 1 / 9] = 0
    return vectors


def search(
    folder: Path,
    vectors: np.ndarray,
    cuts: list[int],
    how: Products,
    memory: int,
    settings=SETTINGS,
) -> tuple[Embeddings, pd.DataFrame, list[pd.DataFrame]]:
    """The raw vectors, their copies, and each shard's pairs."""
    stored = embeddings(folder, vectors, cuts)
    shards = np.split(np.arange(len(vectors)), cuts)
    shards = [rows[np.any(vectors[rows] != 0, axis=1)] for rows in shards]
    copies = copies_of(stored, shards, folder)
    distinct = [np.setdiff1d(rows, copies["row"]) for rows in shards]
    found = []
    for rows, lone in zip(shards, distinct, strict=True):
        job = ExactSearch(stored, lambda: distinct, settings, how, memory)
        found.append(pd.concat([copy_pairs(stored, rows, copies), *job.pairs(lone)]))
    return stored, copies, found


def naive(stored: Embeddings, copies: pd.DataFrame, settings: PairSettings) -> set[tuple[int, int]]:
    """What is to be stored, by a loop over all pairs."""
    n = stored.n_rows
    raw = stored.take(np.arange(n)).astype(np.float64)
    first = dict(copies.to_numpy().tolist())
    lone = [i for i in range(n) if raw[i].any() and i not in first]
    wanted = {(low, row) for row, low in first.items()}
    for a in lone:
        relatives = []
        cosines = stored.cosines(np.full(len(lone), a), np.array(lone, np.int64))
        for b, cosine in zip(lone, cosines.tolist(), strict=True):
            lengths = np.linalg.norm(raw[a]) * np.linalg.norm(raw[b])
            assert abs(cosine - raw[a] @ raw[b] / lengths) < 1e-6
            ahead = (b - a) % n
            if ahead == 0 or 2 * ahead > n or (2 * ahead == n and b < a):
                continue
            if cosine >= settings.threshold:
                wanted.add((min(a, b), max(a, b)))
            elif cosine >= settings.relatives_threshold:
                relatives.append((-cosine, b))
        wanted |= {(min(a, b), max(a, b)) for _, b in sorted(relatives)[: settings.k]}
    return wanted


def pairs_of(found: list[pd.DataFrame]) -> list[tuple[int, int]]:
    return [tuple(pair) for part in found for pair in part[["row_a", "row_b"]].to_numpy().tolist()]


def clusters_of(pairs: pd.DataFrame, n: int, folder: Path, threshold: float) -> dict[int, int]:
    near = pairs[pairs["similarity"] >= threshold]
    edges = [(near["row_a"].to_numpy(), near["row_b"].to_numpy())]
    table = pd.concat(list(find_clusters(edges, n, folder, 1 << 28)))
    return dict(table[["row", "cluster"]].to_numpy().tolist())


@pytest.mark.slow
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    noise=st.sampled_from([0.02, 0.2, 0.35]),
    seed=st.integers(0, 2**16),
    cuts=st.lists(st.integers(0, 40), max_size=3),
    block=st.integers(1, 50),
    memory=st.sampled_from([1, 5000, 1 << 20]),
    device=st.sampled_from(["", HALF]),
)
def test_pairs_are_those_of_a_loop_over_all(sizes, noise, seed, cuts, block, memory, device):
    vectors = made(sizes, noise, seed)
    cuts = sorted({cut for cut in cuts if 0 < cut < len(vectors)})
    if not vectors.any():
        return
    with TemporaryDirectory() as folder:
        how = Products(device, block)
        stored, copies, found = search(Path(folder), vectors, cuts, how, memory)
        got = pairs_of(found)
        assert len(got) == len(set(got))  # each pair once, in one shard
        assert set(got) == naive(stored, copies, SETTINGS)
        for part in found:
            a, b = part["row_a"].to_numpy(), part["row_b"].to_numpy()
            np.testing.assert_array_equal(part["similarity"], stored.cosines(a, b))


@pytest.mark.parametrize("device", ["", HALF])
def test_neither_device_nor_blocks_nor_shards_change_the_pairs(tmp_path: Path, device):
    vectors = made([9, 7, 5, 1, 1], 0.35, 1)
    stored, copies, found = search(tmp_path, vectors, [4, 15], Products(device, 6), 1)
    assert sorted(pairs_of(found)) == sorted(naive(stored, copies, SETTINGS))


@pytest.mark.slow
@pytest.mark.parametrize("device", ["", HALF])
@pytest.mark.parametrize("cuts", [[], [1, 200, 500]])
def test_clusters_of_2_to_300_rows_are_whole_however_small_k_is(tmp_path: Path, device, cuts):
    sizes = [2, 3, 5, 64, 65, 300]
    centers = random_units(len(sizes), 64, 3)
    parts = [group(c, n, 0.15, i) for i, (c, n) in enumerate(zip(centers, sizes, strict=True))]
    vectors = np.concatenate([*parts, random_units(100, 64, 4)])
    order = np.random.default_rng(0).permutation(len(vectors))
    label = np.repeat(np.arange(len(sizes) + 100), [*sizes, *[1] * 100])[order]
    how = Products(device, 128)
    _, _, found = search(tmp_path, vectors[order], cuts, how, 1 << 22)
    pairs = pd.concat(found)
    assert (label[pairs["row_a"]] == label[pairs["row_b"]]).all()
    assert (pairs["similarity"] >= 0.95).sum() == sum(n * (n - 1) // 2 for n in sizes)
    clusters = clusters_of(pairs, len(vectors), tmp_path, 0.95)
    want = {
        int(row): int(np.flatnonzero(label == label[row])[0])
        for row in np.flatnonzero(label < len(sizes))
    }
    assert clusters == want


@pytest.mark.slow
@pytest.mark.parametrize("device", ["", HALF])
@pytest.mark.parametrize("memory", [1, 1 << 22])
def test_a_crowd_is_one_cluster_of_few_pairs(tmp_path: Path, device, memory):
    settings = PairSettings(2, 6, 0.95, 0.8, 0, 1)
    center, other = random_units(2, 24, 1)
    crowd = group(center, 80, 0.05, 0)
    beside = unit((center * 0.9 + other * 0.45)[None])
    vectors = np.concatenate([crowd, beside, random_units(20, 24, 2)])
    vectors = vectors[np.random.default_rng(3).permutation(len(vectors))]
    _, _, found = search(tmp_path, vectors, [30], Products(device, 16), memory, settings)
    pairs = pd.concat(found)
    _, _, every = search(tmp_path, vectors, [30], Products(device, 16), memory)
    whole = clusters_of(pd.concat(every), len(vectors), tmp_path, 0.95)
    assert clusters_of(pairs, len(vectors), tmp_path, 0.95) == whole
    assert len(whole) == 80
    near = int((pairs["similarity"] >= 0.95).sum())
    assert 79 <= near < 80 * 79 // 4
    if memory > 1:  # a pass a shard, judged in one go
        assert near <= 80 * 6 + 2 * 80
    assert (pairs["similarity"] < 0.95).any()  # and its rows have relatives


@given(
    n=st.integers(2, 60),
    a=st.lists(st.integers(0, 59), min_size=1, unique=True),
    b=st.lists(st.integers(0, 59), min_size=1, unique=True),
)
def test_of_two_rows_exactly_one_follows_the_other(n, a, b):
    a, b = (np.unique([i % n for i in rows]) for rows in (a, b))
    there, back = follows(a[:, None], b[None, :], n), follows(b[None, :], a[:, None], n)
    np.testing.assert_array_equal(there ^ back, a[:, None] != b[None, :])
    share = share_that_follows(a, b, n)
    assert not (share == "all" and not there.all())
    assert not (share == "none" and there.any())


def test_every_row_is_followed_by_as_many():
    rows = np.arange(101)
    assert set(follows(rows[:, None], rows[None, :], 101).sum(axis=1)) == {50}


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(1, 7))
def test_rows_are_regrouped_in_order(lengths, size):
    pieces = np.split(np.arange(sum(lengths)), np.cumsum(lengths)[:-1] if lengths else [])
    got = list(regroup(pieces, size))
    assert [len(piece) for piece in got[:-1]] == [size] * (len(got) - 1)
    assert np.concatenate([*got, np.empty(0, int)]).tolist() == list(range(sum(lengths)))


@given(st.integers(0, 2**16), st.sampled_from([2, 24, 768]), st.sampled_from(["", HALF]))
def test_products_are_off_by_less_than_the_error(seed, dim, device):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, dim)) * rng.exponential(size=dim) ** 2
    x[10:] = x[:10] + 0.1 * rng.normal(size=(10, dim))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)
    exact = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    how = Products(device, 1)
    got = how.numpy(how.unit(x) @ how.unit(x).T).astype(np.float64)
    # what it is compared with is rounded too
    assert abs(got - exact @ exact.T).max() < (0.9 * HALF_ERROR if device else ERROR)
    assert how.error == (HALF_ERROR if device else ERROR)


@examples(15)
@given(st.integers(0, 2**16), st.integers(1, 3), st.sampled_from([20, 50, 120]))
def test_pairs_in_memory_are_bounded_and_the_nearest_stay(seed, k, step):
    """All rows are relatives of all: what is held is bounded by k a row."""
    settings = PairSettings(k, 1000, 0.999, 0.1, 0, 1)
    rng = np.random.default_rng(seed)
    vectors = unit(1 + rng.random((60, 8)) * 0.8)
    with TemporaryDirectory() as folder:
        stored = embeddings(Path(folder), vectors, [])
        rows, others = np.arange(10), np.arange(10, 60)
        held = HeldPairs(stored, rows, settings, HALF_ERROR, 1)
        a, b = (side.ravel() for side in np.meshgrid(rows, others, indexing="ij"))
        order = rng.permutation(len(a))
        a, b = a[order], b[order]
        cosine = stored.cosines(a, b)
        estimate = cosine + rng.uniform(-HALF_ERROR, HALF_ERROR, len(a)).astype(np.float32)
        most = held.room
        assert most == 2 * k * len(rows)
        near = []
        for start in range(0, len(a), step):
            some = slice(start, start + step)
            may = estimate[some] >= held.floor[a[some]]
            held.add(Held(a[some][may], b[some][may], estimate[some][may]))
            if held.room < step:
                near.append(held.settle())
                assert held.room >= most // 2
        near = pd.concat([*near, held.settle()])
        got = held.relatives()
    want = pd.DataFrame({"a": a, "b": b, "cosine": cosine})
    assert len(near) == (cosine >= 0.999).sum()
    want = want[want["cosine"] < 0.999].sort_values(["cosine", "b"], ascending=[False, True])
    want = want.groupby("a").head(k)
    assert set(pairs_of([got])) == set(want[["a", "b"]].itertuples(index=False, name=None))


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_a_spanning_forest_ties_the_same_rows(pairs):
    pairs = np.array(sorted({(min(p), max(p)) for p in pairs if p[0] != p[1]}), np.int64)
    a, b = pairs.reshape(-1, 2).T
    kept = spanning_forest(a, b)
    with TemporaryDirectory() as folder:
        tables = [
            pd.concat([pd.DataFrame(columns=["row", "cluster"]), *find_clusters([e], 13, Path(folder), 1 << 20)])
            for e in ((a, b), (a[kept], b[kept]))
        ]  # fmt: skip
    pd.testing.assert_frame_equal(*tables)
    assert len(kept) == len(tables[0]) - tables[0]["cluster"].nunique()


@pytest.mark.parametrize(
    ("search", "rows", "gpu", "exact", "why"),
    [
        ("exact", 10**12, False, True, "dedup.search is exact"),
        ("index", 1, True, False, "dedup.search is index"),
        ("auto", 10, False, True, "10 rows are at most dedup.exact_rows.cpu = 10"),
        ("auto", 11, False, False, "11 rows are more than dedup.exact_rows.cpu = 10"),
        ("auto", 11, True, True, "11 rows are at most dedup.exact_rows.gpu = 1000"),
        ("auto", 1001, True, False, "1001 rows are more than dedup.exact_rows.gpu = 1000"),
    ],
)
def test_the_search_is_chosen_by_rows_and_device(search, rows, gpu, exact, why):
    assert choose_search(search, rows, {"cpu": 10, "gpu": 1000}, gpu) == (exact, why)


def test_a_gpu_works_in_half_precision_and_large_blocks():
    assert Products.on("cpu", 64) == Products("", 64)
    assert Products.on("cuda", 64).device == "cuda"
    assert Products.on("cuda", 64).block > 1000
