"""Clusters and caption similarity against definitions spelled out."""

import itertools

import numpy as np
import pandas as pd
import pytest

from verbatim.io.measures import Measures
from verbatim.similarity import dataset

RNG = np.random.default_rng(0)


def unit(n: int, d: int = 3) -> np.ndarray:
    x = RNG.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_clusters_are_what_is_reached_from_a_image_over_similar_ones():
    features = unit(60)
    found = dataset.cluster_images(features, 0.9, batch=7)
    for start in range(60):
        reached, todo = {start}, [start]
        while todo:
            here = todo.pop()
            near = {i for i in range(60) if features[here] @ features[i] > 0.9}
            todo += near - reached
            reached |= near
        assert found[start] == min(reached)
        assert set(np.flatnonzero(found == found[start])) == reached
    assert len(set(found.tolist())) not in (1, 60)
    assert len(dataset.cluster_images(features[:0], 0.9)) == 0


def test_jaccard_is_words_in_common_of_words_in_all():
    a, b = dataset.words("Red heart  suit"), dataset.words("red HEART")
    assert dataset.jaccard(a, b) == pytest.approx(2 / 3)
    assert dataset.jaccard(a, a) == 1
    assert dataset.jaccard(a, dataset.words("dog")) == 0
    assert dataset.jaccard(dataset.words(""), dataset.words(" ")) == 1


def test_caption_similarity_is_the_median_over_all_pairs_of_rows():
    captions, draws = ["red heart", "a red heart", "dog"], [3, 2, 1]
    features = unit(3)
    rows = [i for i, n in enumerate(draws) for _ in range(n)]
    pairs = [
        float(features[i] @ features[j])
        * dataset.jaccard(dataset.words(captions[i]), dataset.words(captions[j]))
        for i, j in itertools.combinations(rows, 2)
    ]
    found = dataset.caption_similarity(captions, features, draws)
    assert found == pytest.approx(float(np.median(pairs)))


def test_one_caption_many_times_is_alike_and_one_row_alone_has_no_pairs():
    features = unit(1)
    for one in unit(40, 64).astype(
        np.float32
    ):  # exactly, else roundings of vectors would be correlated
        assert dataset.caption_similarity(["dog"], one[None], [10]) == 1
    assert np.isnan(dataset.caption_similarity(["dog"], features, [1]))


@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [2, 0, 1, 3], [1, 5, 1, 1], [0, 0, 0, 0]])
def test_a_weighted_median_is_the_median_of_repeated_values(weights):
    values = np.array([4.0, 1.0, 3.0, 2.0])
    found = dataset.weighted_median(values, np.array(weights, float))
    repeated = np.repeat(values, weights)
    if len(repeated):
        assert found == np.median(repeated)
    else:
        assert np.isnan(found)


def made() -> tuple[pd.DataFrame, dict[int, int], dict[str, np.ndarray]]:
    rows = pd.DataFrame({"image_id": [5, 7, 9], "weight": [10.0, 10.0, 1.0]})
    captions = dataset.caption_rows(rows, [["dog"], ["cat", "a cat"], ["sun"]])
    text = dict(zip(["dog", "cat", "a cat", "sun"], unit(4), strict=True))
    return captions, {5: 5, 7: 7, 9: 7}, text


def test_a_cluster_counts_the_rows_that_are_drawn_of_it_and_their_captions():
    captions, cluster_of, text = made()
    assert captions["draws"].tolist() == [10, 5, 5, 1]
    found = dataset.cluster_table(captions, cluster_of, text).set_index("cluster")
    assert found.loc[5, ["size", "images", "n_captions"]].tolist() == [10, 1, 1]
    assert found.loc[7, ["size", "images", "n_captions"]].tolist() == [11, 2, 3]
    assert found.loc[5, "caption_similarity"] == pytest.approx(1)
    assert found.loc[7, "caption_similarity"] < 1


def test_many_captions_of_a_image_that_is_drawn_once_count_once_each():
    names = [f"thing {i}" for i in range(20)]
    rows = pd.DataFrame({"image_id": [1], "weight": [1.0]})
    found = dataset.caption_rows(rows, [names])
    assert found["draws"].tolist() == [1] * 20
    text = dict(zip(names, unit(20), strict=True))
    cluster = dataset.cluster_table(found, {1: 1}, text).iloc[0]
    assert cluster["size"] == 1  # however many captions it has
    assert np.isfinite(cluster["caption_similarity"])


def test_replication_is_of_the_generations_whose_match_lies_in_the_cluster():
    captions, cluster_of, text = made()
    clusters = dataset.cluster_table(captions, cluster_of, text)
    similar = pd.DataFrame({"match": [5, 5, 9], "similarity": [0.9, 0.5, 0.2]})
    found = dataset.add_replication(clusters, similar, cluster_of, 0.6).set_index("cluster")
    assert found.loc[5, ["generations", "copies"]].tolist() == [2, 1]
    assert found.loc[5, "replication"] == pytest.approx(0.7)
    assert found.loc[7, ["generations", "copies"]].tolist() == [1, 0]
    none = dataset.add_replication(clusters, similar.iloc[:0], cluster_of, 0.6)
    assert none["generations"].tolist() == [0, 0]
    assert none["replication"].isna().all()


def counted(clusters: pd.DataFrame) -> pd.DataFrame:
    out = Measures("full10", 0, "none")
    dataset.add_dataset(out, clusters, 0.95)
    return out.table.set_index("measure")


def made_clusters() -> pd.DataFrame:
    """Six clusters of one image; the more often drawn and the liker the captions, the closer."""
    size = np.array([1, 2, 4, 8, 16, 32.0])
    return pd.DataFrame(
        {
            "cluster": range(6), "size": size, "images": 1, "n_captions": 1,
            "caption_similarity": [np.nan, 0.2, 0.4, 0.6, 0.8, 1.0], "generations": 2,
            "replication": np.log2(size) / 10, "copies": 0,
        }
    )  # fmt: skip


def test_replication_is_correlated_with_the_logarithm_of_how_often_a_image_is_drawn():
    found = counted(made_clusters())
    value = found["value"]
    assert value["pearson:cluster_size"] == pytest.approx(1)
    assert value["pearson:caption_similarity"] == pytest.approx(1)
    assert found["n"]["pearson:caption_similarity"] == 5
    assert value["caption_similarity"] == pytest.approx(0.6)
    assert value["cluster_size:max"] == 32
    assert value["clusters_of_several"] == 0


def test_large_clusters_of_different_images_say_nothing_of_repetition():
    several = made_clusters().assign(cluster=range(10, 16), images=3, replication=0.9)
    alone, found = counted(made_clusters()), counted(pd.concat([made_clusters(), several]))
    for name in ("pearson:cluster_size", "pearson:caption_similarity"):
        assert found["value"][name] == alone["value"][name]
        assert found["n"][name] == alone["n"][name]
    assert found["value"]["clusters_of_several"] == 0.5
    # nothing is repeated: clusters of several are larger, and that is no answer
    once = made_clusters().assign(size=1.0, caption_similarity=np.nan)
    found = counted(pd.concat([once, several]))
    for name in ("pearson:cluster_size", "pearson:caption_similarity"):
        assert np.isnan(found["value"][name])
        assert "nothing varies" in found["note"][name]


def test_images_that_are_drawn_once_say_nothing_of_repeated_captions():
    once = made_clusters().assign(cluster=range(10, 16), size=1.0, replication=0.9)
    found = counted(pd.concat([made_clusters(), once.assign(caption_similarity=0.5)]))
    assert found["value"]["pearson:caption_similarity"] == pytest.approx(1)
