from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_embeddings import copies_of, embeddings
from made_inputs import random_units

from verbatim.dedup.equal_vectors import fingerprint, fingerprints, indexed_rows


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
@pytest.mark.parametrize(("memory", "batch"), [(1 << 30, 1000), (1 << 30, 3), (400, 7), (1, 2)])
def test_copies_are_those_of_a_naive_comparison(tmp_path: Path, cuts, memory, batch):
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
    got = copies_of(stored, np.split(rows, cuts), tmp_path, memory, batch)
    assert list(got.itertuples(index=False, name=None)) == want


def test_a_hash_that_errs_makes_no_copy(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        "verbatim.dedup.equal_vectors.fingerprint", lambda v: np.zeros(len(v), np.uint64)
    )
    stored = embeddings(tmp_path, random_units(5), [])
    assert copies_of(stored, [np.arange(5)], tmp_path).empty


def test_a_shards_fingerprints_are_sorted_and_do_not_depend_on_the_batch(tmp_path: Path):
    stored = embeddings(tmp_path, random_units(50), [20])
    rows = np.arange(20, 50, 2)
    got = fingerprints(stored, rows, batch=4)
    assert (np.diff(got[0].astype(object)) >= 0).all()
    assert sorted(got[1].tolist()) == rows.tolist()
    np.testing.assert_array_equal(got[0], fingerprint(stored.take(got[1])))
    np.testing.assert_array_equal(fingerprints(stored, rows), got)


def test_no_row_has_no_copies(tmp_path: Path):
    stored = embeddings(tmp_path, random_units(3), [])
    assert copies_of(stored, [np.arange(0)], tmp_path).empty
