import subprocess
import sys
import tempfile
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from law_examples import examples
from made_embeddings import embeddings, index_in_parts, index_of
from made_inputs import random_units, unit

from verbatim.dedup.index import write_index
from verbatim.io.search import MappedArrays, SearchError, open_index, search_rows

# small whole numbers: products are exact, and many are equal
SMALL = st.integers(-2, 2).map(float)
VECTORS = st.integers(1, 20).flatmap(lambda n: arrays(np.float32, (n, 4), elements=SMALL))


@examples(30)
@given(VECTORS, VECTORS, st.integers(1, 25), st.integers(1, 21), st.data())
def test_the_nearest_rows_are_those_of_brute_force_whatever_the_parts_and_batches(
    raw, queries, k, batch, data
):
    """Each row is in one part or in none; of rows as near as the last one that has room, any may be found."""
    part = data.draw(st.lists(st.integers(0, 3), min_size=len(raw), max_size=len(raw)))
    parts = [rows for n in range(3) if len(rows := np.flatnonzero(np.array(part) == n))]
    if not parts:
        parts = [np.arange(len(raw))]
    with tempfile.TemporaryDirectory() as name:
        index = index_in_parts(Path(name), embeddings(Path(name), raw, []), parts)
        similarity, row = search_rows(index, queries, k, batch)
    rows = np.sort(np.concatenate(parts))
    for q in range(len(queries)):
        want = np.sort(raw[rows] @ queries[q])[::-1][:k]
        found = row[q][: len(want)]
        np.testing.assert_array_equal(similarity[q][: len(want)], want)
        np.testing.assert_array_equal(raw[found] @ queries[q], want)
        assert len(set(found)) == len(found)
        assert set(found) <= set(rows)
        assert list(zip(-want, found, strict=True)) == sorted(zip(-want, found, strict=True))
        assert (row[q][len(want) :] == -1).all()
        assert np.isneginf(similarity[q][len(want) :]).all()


def test_the_nearest_of_normal_vectors_are_those_of_brute_force(tmp_path: Path):
    vectors = embeddings(tmp_path, random_units(200), [50, 51, 120])
    rows = np.array([r for r in range(200) if r % 7])  # ids are global rows, not positions
    raw = vectors.take(np.arange(200)).astype(np.float32)
    similarity, row = search_rows(index_of(vectors, rows), raw, 5)
    dots = raw @ raw[rows].T
    order = np.argsort(-dots, axis=1)[:, :5]
    np.testing.assert_array_equal(row, rows[order])
    np.testing.assert_allclose(similarity, np.take_along_axis(dots, order, axis=1), rtol=1e-4)


def test_equal_similarities_come_in_order_of_rows(tmp_path: Path):
    vectors = embeddings(tmp_path, np.tile(random_units(1), (6, 1)), [])
    _, row = search_rows(index_of(vectors, np.array([5, 3, 1, 0])), random_units(2, seed=1), 4)
    assert row.tolist() == [[0, 1, 3, 5]] * 2


def test_an_index_with_fewer_rows_than_asked_for_says_minus_one(tmp_path: Path):
    vectors = embeddings(tmp_path, random_units(3), [])
    similarity, row = search_rows(index_of(vectors, np.arange(3)), random_units(1), 5)
    assert row[0, 3:].tolist() == [-1, -1]
    assert np.isneginf(similarity[0, 3:]).all()


@pytest.mark.parametrize(
    "factory",
    [
        "Flat",
        "IVF4,Flat",
        pytest.param("IVF4,PQ4x4", marks=pytest.mark.slow),
        "PCA12,IVF4,Flat",
        "SQfp16",
    ],
)
def test_an_index_is_found_again_on_disk(tmp_path: Path, factory):
    vectors = embeddings(tmp_path, random_units(300), [100])
    rows = np.arange(0, 300, 2)
    write_index(index_of(vectors, rows, factory), str(tmp_path / "index.faiss"))
    raw = vectors.take(rows).astype(np.float32)
    similarity, row = search_rows(tmp_path / "index.faiss", raw, 10)
    assert np.isin(row, rows).all()
    assert (row == rows[:, None]).any(axis=1).mean() > 0.95  # compressed: near, not always first
    if not factory.startswith("PCA") and "PQ" not in factory:
        np.testing.assert_array_equal(row[:, 0], rows)
        np.testing.assert_allclose(similarity[:, 0], 1, atol=2e-3)
    assert not list(tmp_path.glob("*.tmp"))


def test_a_missing_or_foreign_index_is_refused_by_name(tmp_path: Path):
    with pytest.raises(SearchError, match=r"index\.faiss: no such index; run the rule build_index"):
        open_index(tmp_path / "index.faiss")
    (tmp_path / "index.faiss").write_bytes(b"not an index at all")
    with pytest.raises(SearchError, match="not a faiss index"):
        open_index(tmp_path / "index.faiss")
    faiss.write_index(faiss.index_factory(4, "Flat", faiss.METRIC_L2), str(tmp_path / "l2.faiss"))
    with pytest.raises(SearchError, match="inner products"):
        open_index(tmp_path / "l2.faiss")


def test_queries_of_another_model_are_refused(tmp_path: Path):
    index = index_of(embeddings(tmp_path, random_units(3, 16), []), np.arange(3))
    with pytest.raises(SearchError, match=r"\(2, 8\) for an index of 16"):
        search_rows(index, random_units(2, 8), 1)
    with pytest.raises(SearchError, match="at least one"):
        search_rows(index, random_units(2, 16), 0)


@given(
    st.integers(1, 20),
    st.lists(st.integers(0, 20), max_size=5).map(sorted),
    st.lists(st.integers(0, 19)),
    st.sampled_from([np.float16, np.float32]),
)
def test_rows_are_taken_from_any_shards_in_any_order(n, cuts, rows, dtype):
    """Cuts at one place make a shard that is empty."""
    raw = random_units(n).astype(dtype)
    rows = np.array([r % n for r in rows], dtype=np.int64)
    with tempfile.TemporaryDirectory() as name:
        vectors = embeddings(Path(name), raw, [min(c, n) for c in cuts], dtype)
        np.testing.assert_array_equal(vectors.take(rows), raw[rows])
        assert (vectors.n_rows, vectors.dim) == (n, 16)


FEW_FILES = """
import resource, sys
from pathlib import Path
sys.path[:0] = {paths}
import numpy as np
from verbatim.dedup.equal_vectors import find_copies, fingerprints
from verbatim.io.search import Embeddings, MappedArrays
folder, rng = Path({folder!r}), np.random.default_rng(0)
names = [str(folder / f"{{i}}.npy") for i in range(300)]
raw = rng.normal(size=(600, 4)).astype(np.float16)
raw[599] = raw[3]
for i, name in enumerate(names):
    np.save(name, raw[2 * i : 2 * i + 2])
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
vectors = Embeddings(names, range(0, 600, 2))
rows = rng.integers(0, 600, 2000)
assert (vectors.take(rows) == raw[rows]).all() and vectors.n_rows == 600
for i in range(300):
    np.save(folder / f"marks{{i}}.npy", fingerprints(vectors, np.arange(2 * i, 2 * i + 2)))
marks = MappedArrays([folder / f"marks{{i}}.npy" for i in range(300)])
copies = list(find_copies(vectors, marks, folder, 10000))
assert [piece.to_numpy().tolist() for piece in copies] == [[[599, 3]]], copies
"""


@pytest.mark.slow
def test_more_shards_than_files_may_be_open_are_read(tmp_path: Path):
    code = FEW_FILES.format(paths=sys.path[:4], folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_mapped_arrays_are_a_sequence_and_a_broken_file_is_named(tmp_path: Path):
    for i in range(3):
        np.save(tmp_path / f"{i}.npy", np.full(2, i))
    (tmp_path / "3.npy").write_bytes(b"no array")
    arrays = MappedArrays([tmp_path / f"{i}.npy" for i in range(5)])
    assert [array.tolist() for array in arrays[:3]] == [[0, 0], [1, 1], [2, 2]]
    assert len(arrays) == 5
    for bad in (3, 4):
        with pytest.raises(SearchError, match=rf"{bad}\.npy: not readable as an array"):
            arrays[bad]


def test_a_row_that_is_not_there_is_refused(tmp_path: Path):
    vectors = embeddings(tmp_path, random_units(10), [4])
    for bad in (10, -1):
        with pytest.raises(SearchError, match=f"row {bad} is not among the 10 rows"):
            vectors.take(np.array([3, bad]))


def test_a_cosine_is_the_same_to_the_bit_in_any_company_and_order(tmp_path: Path, monkeypatch):
    vectors = embeddings(tmp_path, unit(random_units(80, 37)), [30])
    a, b = np.random.default_rng(0).integers(0, 80, (2, 300))
    want = vectors.cosines(a, b)
    raw = vectors.take(np.arange(80)).astype(np.float64)
    for i in range(300):
        x, y = raw[a[i]], raw[b[i]]
        assert want[i] == pytest.approx(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y), abs=1e-6)
    np.testing.assert_array_equal(vectors.cosines(b, a), want)
    np.testing.assert_array_equal(vectors.cosines(a[7:8], b[7:8]), want[7:8])
    monkeypatch.setattr("verbatim.io.search.PAIRS_AT_ONCE", 7)
    np.testing.assert_array_equal(vectors.cosines(a, b), want)
    assert want.max() <= 1
