from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from verbatim.dedup.clusters import (
    STATS,
    cluster_sizes,
    cluster_stats,
    first_rows,
    histogram,
    kept_rows,
)
from verbatim.dedup.prompts import caption_keys
from verbatim.dedup.spill import RowStream

NO_CLUSTERS = pd.DataFrame({"row": [], "cluster": []}, dtype="int64")


def stats_of(
    clusters: pd.DataFrame, captions: pd.DataFrame, folder: Path, memory=1 << 20, piece=1000
) -> pd.DataFrame:
    """`cluster_stats` of a table of clusters, and captions of the rows that have one."""
    members = clusters.merge(captions, on="row", how="left")
    members["usable"] = members["caption"].notna()
    members["key"] = caption_keys(members["caption"].fillna(""))
    members = members[["row", "cluster", "key", "usable"]]
    pieces = [members[i : i + piece] for i in range(0, len(members), piece)]
    texts = [captions[i : i + piece] for i in range(0, len(captions), piece)]
    none = pd.DataFrame({name: [] for name in STATS})
    found = list(cluster_stats(pieces, texts, folder, memory))
    return pd.concat(found, ignore_index=True) if found else none


def kept_of(clusters: pd.DataFrame, usable: np.ndarray, folder: Path, cuts=(), memory=1 << 20):
    """Kept rows, shard by shard."""
    members = clusters[clusters["row"].isin(usable)]
    firsts = RowStream(first_rows([members], folder, memory))
    kept = []
    for rows in np.split(usable, np.searchsorted(usable, cuts)):
        if len(rows):
            here = firsts.upto(int(rows[-1]))["row"].to_numpy()
            kept += kept_rows(rows, clusters["row"].to_numpy(), here)["row"].tolist()
    return kept


@pytest.mark.parametrize(("memory", "piece"), [(1 << 20, 1000), (1, 1000), (1, 1), (1500, 2)])
def test_stats_count_captions_of_each_cluster(tmp_path: Path, memory, piece):
    clusters = pd.DataFrame(
        {"row": [0, 1, 2, 3, 4, 5, 6, 7, 8], "cluster": [0, 1, 1, 0, 1, 1, 6, 6, 1]}
    )
    captions = pd.DataFrame(
        {"row": [0, 1, 2, 3, 4, 8], "caption": ["b", "x", "y", "a", "y", "X"]}
    )  # rows 5, 6, 7 have captions that cannot be prompts
    stats = stats_of(clusters, captions, tmp_path, memory, piece)
    assert stats["cluster"].tolist() == [1, 0, 6]
    assert stats["size"].tolist() == [5, 2, 2]
    assert stats["n_captions"].tolist() == [3, 2, 0]
    assert stats["caption"].tolist() == ["y", "b", ""]  # of equally common ones the first met
    assert stats["row"].tolist() == [2, 0, 6]
    np.testing.assert_allclose(stats["share_equal_captions"], [2 / 5, 1 / 2, 0])


@pytest.mark.slow
def test_stats_are_those_of_a_naive_count_whatever_the_memory(tmp_path: Path):
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 60, 400)
    first = [int(np.flatnonzero(cluster == c)[0]) for c in cluster]
    clusters = pd.DataFrame({"row": np.arange(400), "cluster": first})
    words = [f"caption {i}" for i in rng.integers(0, 4, 400)]
    usable = np.flatnonzero(rng.random(400) < 0.8)
    known = set(usable)
    captions = pd.DataFrame({"row": usable, "caption": [words[i] for i in usable]})
    want = []
    for one in sorted(set(first)):
        rows = [r for r in range(400) if first[r] == one]
        have = [words[r] for r in rows if r in known]
        counted = [
            (-have.count(w), min(r for r in rows if words[r] == w and r in known), w)
            for w in dict.fromkeys(have)
        ]
        count, row, word = min(counted, default=(0, one, ""))
        want.append((one, len(rows), len(set(have)), np.float32(-count / len(rows)), word, row))
    want.sort(key=lambda s: (-s[1], s[0]))
    for memory, piece in ((1 << 30, 1000), (1000, 30), (5000, 7)):
        got = stats_of(clusters, captions, tmp_path, memory, piece)
        assert list(got.itertuples(index=False, name=None)) == want
    assert not list(tmp_path.iterdir())


def test_captions_come_back_character_by_character(tmp_path: Path):
    texts = ["a\0b", "a\0c", "a d\u00f3g", "a do\u0301g", "'; drop table stats", "\U0001f436 "]
    clusters = pd.DataFrame({"row": range(12), "cluster": [i // 2 * 2 for i in range(12)]})
    captions = pd.DataFrame({"row": range(0, 12, 2), "caption": texts})
    assert stats_of(clusters, captions, tmp_path)["caption"].tolist() == texts


def test_no_clusters_have_no_stats(tmp_path: Path):
    captions = pd.DataFrame({"row": [1], "caption": ["a"]})
    assert stats_of(NO_CLUSTERS, captions, tmp_path).empty


@pytest.mark.parametrize("memory", [1, 300, 1 << 20])
def test_each_row_knows_the_size_of_its_cluster(tmp_path: Path, memory):
    clusters = pd.DataFrame({"row": [0, 1, 2, 4, 6], "cluster": [0, 1, 0, 1, 1]})
    pieces = [clusters[:2], clusters[2:]]
    sizes = pd.concat(list(cluster_sizes(pieces, tmp_path, memory)), ignore_index=True)
    assert sizes["row"].tolist() == [0, 1, 2, 4, 6]
    assert sizes["cluster"].tolist() == [0, 1, 0, 1, 1]
    assert sizes["size"].tolist() == [2, 3, 2, 3, 3]


@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 6, 7)])
@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_a_deduplicated_set_keeps_the_lowest_usable_row_of_each_cluster(
    tmp_path: Path, cuts, memory
):
    clusters = pd.DataFrame({"row": [1, 3, 4, 6, 7], "cluster": [1, 1, 4, 1, 4]})
    usable = np.array([0, 2, 3, 4, 5, 6, 7])  # row 1 has no caption
    assert kept_of(clusters, usable, tmp_path, cuts, memory) == [0, 2, 3, 4, 5]
    assert kept_of(NO_CLUSTERS, usable, tmp_path, cuts, memory) == usable.tolist()


def test_a_histogram_counts_clusters_by_size_and_share():
    stats = pd.DataFrame(
        {"size": [2, 3, 4, 10, 3, 2], "share_equal_captions": [1, 1 / 3, 0.25, 0.3, 0, 0.5]}
    ).astype({"size": "int32", "share_equal_captions": "float32"})
    whole = histogram([stats], 7, 10)
    pd.testing.assert_frame_equal(histogram([stats[:3], stats[3:]], 7, 10), whole)
    got = {tuple(row) for row in whole.round(2).itertuples(index=False, name=None)}
    assert got == {
        (1, 1, 0.9, 1.0, 7, 7), (2, 3, 0, 0, 1, 3), (2, 3, 0.9, 1.0, 1, 2), (2, 3, 0.3, 0.4, 1, 3),
        (2, 3, 0.4, 0.5, 1, 2), (4, 7, 0.2, 0.3, 1, 4), (8, 15, 0.2, 0.3, 1, 10),
    }  # fmt: skip
