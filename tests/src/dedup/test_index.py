from pathlib import Path

import faiss
import numpy as np
import pytest
from made_embeddings import embeddings, index_in_parts, index_of
from made_inputs import random_units

from verbatim.dedup import DedupError
from verbatim.dedup.index import (
    distinct_rows,
    draw_rows,
    fill_index,
    train_index,
    write_index,
)
from verbatim.io.search import gpu_state, open_index, search_rows


def test_a_sample_is_the_same_however_rows_are_cut_and_of_the_size_asked_for():
    rows = np.random.default_rng(0).permutation(100_000)[:5000]
    rows.sort()
    for n in (1, 100, 4999):
        want = draw_rows([rows], n, seed=3)
        assert len(np.unique(want)) == n
        assert np.isin(want, rows).all()
        for cuts in ([10], [1, 1, 2500, 4999]):
            np.testing.assert_array_equal(draw_rows(np.split(rows, cuts), n, seed=3), want)
        assert (draw_rows([rows], n, seed=4) != want).any()
    np.testing.assert_array_equal(draw_rows([rows], 9999, seed=3), rows)


def test_a_sample_is_drawn_from_everywhere():
    drawn = draw_rows([np.arange(100_000)], 10_000, seed=0)
    counts = np.histogram(drawn, 10, (0, 100_000))[0]
    assert (abs(counts - 1000) < 150).all()  # five standard deviations


def test_copies_are_left_out_of_the_index():
    assert distinct_rows(np.array([2, 4, 6]), np.array([3, 4])).tolist() == [2, 6]


@pytest.mark.parametrize(
    "factory",
    ["Flat", "IVF4,Flat"]
    + [pytest.param(one, marks=pytest.mark.slow) for one in ("IVF4,PQ4x4", "OPQ4,IVF4,PQ4x4")],
)
def test_an_index_in_parts_finds_what_one_in_one_piece_does(tmp_path: Path, factory):
    cuts = [1, 7, 200, 390]
    stored = embeddings(tmp_path, random_units(400), [150])
    queries = random_units(20, seed=3)
    whole = search_rows(index_of(stored, np.arange(400), factory), queries, 9)
    parts = index_in_parts(tmp_path, stored, np.split(np.arange(400), cuts), factory)
    for batch in (1024, 7):
        similarity, row = search_rows(parts, queries, 9, batch)
        np.testing.assert_allclose(similarity, whole[0], atol=2e-6)
        near = np.diff(whole[0], axis=1, append=0) > -1e-5  # either of two may come first
        near[:, 1:] |= near[:, :-1]
        assert near.mean() < 0.1
        np.testing.assert_array_equal(row[~near], whole[1][~near])


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["IVF2,PQ1x8", "OPQ1_4,PQ1x8"])
def test_neighbours_are_those_of_an_index_whose_codes_are_also_sorted(tmp_path: Path, factory):
    x = random_units(400)
    stored = embeddings(tmp_path, x, [])
    ours = train_index(stored, np.arange(400), factory, nprobe=2)
    sorted_too = faiss.index_factory(x.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    sorted_too.train(stored.take(np.arange(400)).astype(np.float32))
    if factory.startswith("IVF"):
        faiss.extract_index_ivf(sorted_too).nprobe = 2
    ours.add_with_ids(x, np.arange(400))
    sorted_too.add(x)
    for got, want in zip(ours.search(x[:40], 9), sorted_too.search(x[:40], 9), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.slow
def test_an_index_filled_in_pieces_is_the_same(tmp_path: Path):
    stored = embeddings(tmp_path, random_units(200), [])
    for cuts in ([], [3, 100, 101]):
        index = train_index(stored, np.arange(200), "IVF4,PQ4x4", nprobe=4)
        fill_index(index, stored, np.split(np.arange(200), cuts), batch=32)
        write_index(index, tmp_path / f"{len(cuts)}.faiss")
    assert (tmp_path / "0.faiss").read_bytes() == (tmp_path / "3.faiss").read_bytes()


def test_without_gpu_support_the_reason_is_said(monkeypatch):
    monkeypatch.delattr("faiss.StandardGpuResources", raising=False)
    assert "without GPU support" in gpu_state()
    monkeypatch.setattr("faiss.StandardGpuResources", object, raising=False)
    monkeypatch.setattr("faiss.get_num_gpus", lambda: 0)
    assert gpu_state() == "faiss sees no GPU"
    monkeypatch.setattr("faiss.get_num_gpus", lambda: 1)
    assert gpu_state() == ""


def test_a_gpu_is_asked_for_the_centroids_and_for_each_part(tmp_path: Path, monkeypatch):
    cloned = []
    monkeypatch.setattr("faiss.StandardGpuResources", object, raising=False)
    monkeypatch.setattr(
        "faiss.index_cpu_to_gpu",
        lambda resources, device, index: cloned.append((device, index.ntotal)) or index,
        raising=False,
    )
    stored = embeddings(tmp_path, random_units(200), [])
    index = train_index(stored, np.arange(200), "IVF4,Flat", nprobe=4, gpu=True)
    assert cloned == [(0, 0)]
    want = train_index(stored, np.arange(200), "IVF4,Flat", nprobe=4)
    for i, trained in enumerate((index, want)):
        part = fill_index(trained, stored, [np.arange(200)], batch=64)
        write_index(part, tmp_path / f"{i}.faiss")
    queries = random_units(9, seed=1)
    got = search_rows(open_index(tmp_path / "0.faiss", gpu=True), queries, 5)
    assert cloned[1:] == [(0, 200)]
    np.testing.assert_array_equal(got, search_rows(tmp_path / "1.faiss", queries, 5))


@pytest.mark.slow
def test_the_index_does_not_depend_on_shards_and_batches(tmp_path: Path):
    queries = random_units(20, seed=3)
    results = []
    for cuts in ([], [10, 200]):
        (tmp_path / str(len(cuts))).mkdir()
        stored = embeddings(tmp_path / str(len(cuts)), random_units(400), cuts)
        results.append(search_rows(index_of(stored, np.arange(400), "IVF4,PQ4x4"), queries, 9))
    np.testing.assert_array_equal(results[0][1], results[1][1])
    np.testing.assert_array_equal(results[0][0], results[1][0])


def test_no_usable_row_is_refused(tmp_path: Path):
    with pytest.raises(DedupError, match="no row has a usable embedding"):
        index_of(embeddings(tmp_path, random_units(3), []), np.array([], dtype=np.int64))


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("Falt", "cannot make 'Falt'"),
        ("IVF64,Flat", "cannot be trained on 10"),
        ("IVF2,PQ4x4,RFlat", "take 'IVF2,PQ4x4'"),
    ],
)
def test_a_factory_that_does_not_fit_is_refused_with_its_key(tmp_path: Path, factory, words):
    with pytest.raises(DedupError, match=rf"dedup\.factory.*{words}"):
        index_of(embeddings(tmp_path, random_units(10), []), np.arange(10), factory)
