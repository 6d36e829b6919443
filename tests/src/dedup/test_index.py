from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_embeddings import embeddings, index_of
from made_inputs import random_units

from verbatim.dedup import DedupError
from verbatim.dedup.index import find_copies, fingerprint, indexed_rows
from verbatim.search import search_rows


def test_only_rows_without_a_sound_embedding_stay_out():
    table = pd.DataFrame({"row": [4, 5, 6], "status": ["ok", "bad_embedding", "bad_caption"]})
    assert indexed_rows(table).tolist() == [4, 6]


@pytest.mark.parametrize("dim", [4, 5, 768])
def test_equal_vectors_and_only_they_share_a_fingerprint(dim):
    vectors = random_units(2000, dim).astype(np.float16)
    twice = np.concatenate([vectors, vectors])
    marks = fingerprint(twice)
    np.testing.assert_array_equal(marks[:2000], marks[2000:])
    assert len(np.unique(marks)) == len(np.unique(vectors, axis=0))


def test_a_flipped_bit_changes_the_fingerprint():
    vectors = np.repeat(random_units(1, 32).astype(np.float16), 32 * 16 + 1, axis=0)
    bits = vectors.view(np.uint16)
    for i in range(32 * 16):
        bits[i + 1, i // 16] ^= np.uint16(1 << (i % 16))
    assert len(np.unique(fingerprint(vectors))) == 32 * 16 + 1


@pytest.mark.parametrize("cuts", [[], [1, 17, 40]])
@pytest.mark.parametrize("batch", [3, 1000])
def test_copies_are_those_of_a_naive_comparison(tmp_path: Path, cuts, batch):
    vectors = random_units(50)
    for row, first in ((9, 2), (30, 2), (49, 2), (18, 17), (3, 1)):
        vectors[row] = vectors[first]
    vectors[40] = vectors[0] + 0.01  # near is not equal
    stored = embeddings(tmp_path, vectors, cuts)
    rows = np.delete(np.arange(50), 2)  # the first of a group takes no part: the next one is first
    raw = vectors.astype(np.float16)
    want = []
    for row in rows:
        first = next(r for r in rows if (raw[r] == raw[row]).all())
        if first != row:
            want.append((row, first))
    got = find_copies(stored, np.split(rows, cuts), batch)
    assert list(got.itertuples(index=False, name=None)) == want


def test_a_hash_that_errs_makes_no_copy(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("verbatim.dedup.index.fingerprint", lambda v: np.zeros(len(v), np.uint64))
    assert find_copies(embeddings(tmp_path, random_units(5), []), [np.arange(5)]).empty


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
    [("Falt", "cannot make 'Falt'"), ("IVF64,Flat", "cannot be trained on 10")],
)
def test_a_factory_that_does_not_fit_is_refused_with_its_key(tmp_path: Path, factory, words):
    with pytest.raises(DedupError, match=rf"dedup\.factory.*{words}"):
        index_of(embeddings(tmp_path, random_units(10), []), np.arange(10), factory)
