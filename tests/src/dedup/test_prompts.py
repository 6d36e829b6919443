import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from verbatim.dedup import DedupError
from verbatim.dedup.prompts import (
    caption_keys,
    rank_captions,
    read_extra_prompts,
    select_prompts,
)
from verbatim.io.records import prompt_id, to_table


def captions_table(captions: dict[int, str]) -> pd.DataFrame:
    return pd.DataFrame({"row": list(captions), "caption": list(captions.values())}).astype(
        {"row": "int64", "caption": object}
    )


def clusters_table(clusters: list[list[int]]) -> pd.DataFrame:
    pairs = sorted((row, min(group)) for group in clusters for row in group)
    return pd.DataFrame(pairs, columns=["row", "cluster"]).astype("int64")


def prompts_of(
    captions: dict[int, str], clusters: list[list[int]], n=100, extra=(), memory=1 << 20
) -> pd.DataFrame:
    table, groups = captions_table(captions), clusters_table(clusters)
    groups["cluster_size"] = groups.groupby("cluster")["row"].transform("size")
    rows = table[["row"]].merge(groups, on="row", how="left")
    rows = rows.fillna({"cluster": -1, "cluster_size": 1}).astype("int64")
    rows["key"] = caption_keys(table["caption"])
    asked = caption_keys(pd.Series(list(extra), dtype=object)) if extra else np.array([])
    with tempfile.TemporaryDirectory() as folder:
        pieces = [rows[:7], rows[7:]]
        ranked, count = rank_captions(pieces, n, asked, Path(folder), memory)
        assert not list(Path(folder).iterdir())
    assert count == table["caption"].nunique()
    sizes = table.merge(groups, on="row").groupby(["cluster", "caption"]).size()
    share = sizes.groupby("cluster").max() / groups.groupby("cluster").size()
    stats = share.rename("share_equal_captions").reset_index()
    prompts = select_prompts(ranked, n, table, stats, list(extra))
    to_table("prompts", prompts)  # it holds to its contract
    return prompts


def naive_prompts(captions: dict[int, str], clusters: list[list[int]]) -> list[tuple]:
    """caption, row, cluster, cluster_size, caption_count in order, by plain loops."""
    group_of = {row: sorted(group) for group in clusters for row in group}
    counts = Counter(captions.values())
    out = []
    for caption in counts:
        places = []
        for row in (r for r, c in captions.items() if c == caption):
            group = group_of.get(row, [row])
            own = sum(captions.get(r) == caption for r in group)
            cluster = group[0] if len(group) > 1 else -1
            places.append((-len(group), row, cluster, own))
        size, row, cluster, own = min(places)
        out.append((caption, row, cluster, -size, counts[caption], own))
    out.sort(key=lambda p: (-max(p[3], p[4]), -p[5], p[1]))
    return [p[:5] for p in out]


@pytest.mark.slow
def test_prompts_are_those_of_a_naive_ranking():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        captions = {i: f"caption {rng.integers(12)}" for i in range(60) if i % 7}
        groups = np.array_split(rng.permutation(60)[:30], np.sort(rng.integers(0, 30, 6)))
        clusters = [g.tolist() for g in groups if len(g) > 1]
        got = prompts_of(captions, clusters)
        few = prompts_of(captions, clusters, n=5, extra=["caption 7", "caption 3"], memory=1)
        pd.testing.assert_frame_equal(few[:5], got[:5])
        beside = got["caption"].isin(["caption 7", "caption 3"]) & (got["rank"] >= 5)
        assert set(few["row"][5:]) == set(got.loc[beside, "row"])
        columns = ["caption", "row", "cluster", "cluster_size", "caption_count"]
        assert list(got[columns].itertuples(index=False, name=None)) == naive_prompts(
            captions, clusters
        )
        assert got["rank"].tolist() == list(range(len(got)))
        assert got["prompt_id"].tolist() == [prompt_id(c) for c in got["caption"]]


def test_a_caption_met_with_many_images_ranks_with_a_image_met_as_often():
    captions = {i: "planted" for i in range(20)}
    captions |= {i: "repeated" for i in range(20, 50)}  # thirty images
    captions |= {50: "single"}
    prompts = prompts_of(captions, [list(range(20))])
    assert prompts["caption"].tolist() == ["repeated", "planted", "single"]
    assert prompts["cluster_size"].tolist() == [1, 20, 1]
    assert prompts["caption_count"].tolist() == [30, 20, 1]
    assert prompts["row"].tolist() == [20, 0, 50]


def test_all_captions_of_a_duplicated_image_rank_high_the_most_common_first():
    captions = {0: "single", 1: "a", 2: "b", 3: "b", 4: "c"}
    prompts = prompts_of(captions, [[1, 2, 3, 4]])
    assert prompts["caption"].tolist() == ["b", "a", "c", "single"]
    assert prompts["cluster_size"].tolist() == [4, 4, 4, 1]
    np.testing.assert_allclose(prompts["share_equal_captions"], [0.5, 0.5, 0.5, 1])


def test_captions_differ_if_a_character_does():
    captions = ["a dog", "A dog", "a dog ", "a dog.", "a dóg", "a do\u0301g", "a\0b", "a\0c"]
    prompts = prompts_of(dict(enumerate(captions)), [])
    assert prompts["caption"].tolist() == captions
    assert len(set(prompts["prompt_id"])) == len(captions)


def test_no_more_prompts_than_asked_for_and_extra_ones_beside():
    captions = {0: "a", 1: "a", 2: "b", 3: "c"}
    prompts = prompts_of(captions, [], n=2, extra=["new", "c", "a", "new"])
    assert prompts["caption"].tolist() == ["a", "b", "c", "new"]
    assert prompts["extra"].tolist() == [False, False, True, True]
    assert prompts["row"].tolist() == [0, 2, 3, -1]
    assert prompts["cluster_size"].tolist() == [1, 1, 1, 0]
    assert prompts["caption_count"].tolist() == [2, 1, 1, 0]
    assert prompts["cluster"].tolist() == [-1] * 4
    assert prompts["share_equal_captions"].tolist() == [1, 1, 1, 0]


def test_asking_for_captions_changes_nothing_of_the_selected_ones():
    captions = {i: f"c{i % 6}" for i in range(40)}
    without = prompts_of(captions, [[1, 2, 3]], n=4)
    asked = [*without["caption"][:3], "new", "c5", "c4", "c3", "c2", "c1", "c0"]
    beside = prompts_of(captions, [[1, 2, 3]], n=4, extra=asked)
    assert len(beside) == 7
    assert beside["extra"].tolist() == [False] * 4 + [True] * 3
    pd.testing.assert_frame_equal(beside[:4], without, check_dtype=False)


def test_extra_prompts_alone_are_enough():
    assert prompts_of({}, [], extra=["new"])["caption"].tolist() == ["new"]
    assert prompts_of({0: "a"}, [], n=0, extra=["new"])["row"].tolist() == [-1]


@pytest.mark.parametrize(("captions", "n"), [({}, 10), ({0: "a"}, 0)])
def test_no_prompt_at_all_is_refused_with_the_keys_to_look_at(captions, n):
    with pytest.raises(DedupError, match=r"no prompt is left.*dedup\.min_caption_chars"):
        prompts_of(captions, [], n=n)


def test_a_prompts_order_does_not_depend_on_the_order_of_rows():
    captions = {i: f"c{i % 5}" for i in range(40)}
    shuffled = dict(np.random.default_rng(0).permutation(list(captions.items())).tolist())
    shuffled = {int(row): caption for row, caption in shuffled.items()}
    clusters = [[1, 2, 3], [5, 9]]
    pd.testing.assert_frame_equal(prompts_of(captions, clusters), prompts_of(shuffled, clusters))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".txt"])
def test_extra_prompts_are_read_from_three_formats(tmp_path: Path, suffix):
    captions = ['a "quoted", one', "../up 🐼", "NA", " spaces "]
    path = tmp_path / f"extra{suffix}"
    frame = pd.DataFrame({"id": range(4), "Caption": captions})
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        path.write_bytes(("\ufeff" + "\r\n".join(captions) + "\r\n\r\n").encode())
    assert read_extra_prompts(path, (1, 100)) == captions


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "x" * 11, "line 1: the caption .* of 1 to 10 characters"),
        ("a.csv", "caption,id\nfine,1\n ,2\n", "line 3: the caption ' ' must"),
        ("a.csv", "title\nfine\n", "title"),
        ("a.csv", "", "it is empty; a header"),
        ("a.parquet", "no parquet", "cannot be read"),
        ("a.json", "[]", "must end in one of"),
    ],
)
def test_a_wrong_list_of_extra_prompts_is_refused_by_name(tmp_path: Path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(DedupError, match=rf"{name}.*{words}"):
        read_extra_prompts(tmp_path / name, (1, 10))
    with pytest.raises(DedupError, match="no such file"):
        read_extra_prompts(tmp_path / "nowhere.txt", (1, 10))
