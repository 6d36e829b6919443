"""Rules are told where the training data of a run lie, of the world and of every layout of a folder."""

from types import SimpleNamespace

import pytest
from overlays import change

from verbatim.config.data_files import MOST_LISTED, DataFiles, WorldSource
from verbatim.inputs.layouts import Source

SHARD = SimpleNamespace(shard="00001")


def world(config, clip="world", n_rows=25):
    return DataFiles(config, WorldSource.of_rows(n_rows, 10), "results/world/data", [], clip)


def own(config, embeddings=(), metadata=("m0.parquet", "m1.parquet"), **more):
    """A user's folder with two shards."""
    more = {"by_position": False, "archives": (), **more}
    source = Source(("00000", "00001"), tuple(embeddings), tuple(metadata), **more)
    config = change(config, "inputs.source", "laion")
    return DataFiles(config, source, "laion/data", ["laion/data/00000.tar"], "clip")


def test_the_world_has_a_shard_for_each_lot_of_rows(config):
    data = world(config)
    assert data.shards == ["00000", "00001", "00002"]
    assert data.rows[-1] == "<results>/inputs/rows/00002.parquet"
    assert data.embeddings_of(SHARD) == "<results>/world/embeddings/img_emb/img_emb_0001.npy"
    assert data.metadata_of(SHARD).endswith("metadata/metadata_0001.parquet")
    assert data.archives == data.of_shards("<results>/world/data/{shard}.tar")
    assert data.has_embeddings


def test_embeddings_are_those_of_the_folder_where_there_are_any(config):
    data = own(config, ("e0.npy", "e1.npy"))
    assert data.embeddings == data.embeddings_if_any == ["e0.npy", "e1.npy"]
    assert data.embeddings_of(SHARD) == "e1.npy"
    assert data.metadata_of(SHARD) == "m1.parquet"


def test_tables_that_are_cut_differently_are_the_input_of_no_single_shard(config):
    data = own(config, ("e0.npy", "e1.npy"), ("part-0.parquet",), by_position=True)
    assert data.metadata_of(SHARD) == []
    assert data.metadata == ["part-0.parquet"]


def test_archives_without_embeddings_are_embedded_here(config):
    data = own(config, archives=("m0.tar", "m1.tar"))
    assert data.archive_of(SHARD) == "m1.tar"
    assert data.embeddings_of_if_any(SHARD) == "<results>/inputs/img_emb/img_emb_00001.npy"
    assert data.embeddings_if_any == data.of_shards("<results>/inputs/img_emb/img_emb_{shard}.npy")
    assert data.clip_checked == []


def test_tables_alone_have_no_embeddings_and_the_file_that_lacks_is_named(config):
    data = own(config)
    assert not data.has_embeddings
    assert data.embeddings_of_if_any(SHARD) == data.embeddings_if_any == []
    assert data.embeddings_of(SHARD) == "laion/img_emb/img_emb_00001.npy"


def test_a_clip_is_checked_against_embeddings_that_the_run_does_not_make(config):
    with_images = change(config, "inputs.clip_images", 100)
    assert own(with_images, ("a", "b")).clip_checked == "<results>/inputs/clip.tsv"
    assert own(change(config, "inputs.clip_images", 0), ("a", "b")).clip_checked == []
    assert world(with_images).clip_checked == []


def test_a_clip_that_the_world_trains_is_listed_by_nobody(config):
    assert world(config).clip_file("x.json") == "<results>/world/clip/x.json"
    assert world(config).clip_listed == []
    assert world(config).clip_state == ""
    assert world(config, "my/clip").clip_file("x.json") == "my/clip/x.json"
    assert world(config, "my/clip").clip_listed == "<results>/inputs/clip_files.tsv"


def test_of_very_many_archives_the_folder_is_the_input(config):
    data = own(config)
    assert data.archives == ["laion/data/00000.tar"]
    many = [str(i) for i in range(MOST_LISTED + 1)]
    data = DataFiles(data.config, data.source, data.archive_folder, many, "clip")
    assert data.archives == ["laion/data"]


def test_a_part_of_the_index_holds_as_many_shards_as_the_config_says(config):
    data = world(change(config, "dedup.shards_a_part", 2))
    assert data.index == ["<results>/dedup/index/00000.faiss", "<results>/dedup/index/00001.faiss"]
    first, last = SimpleNamespace(part="00000"), SimpleNamespace(part="00001")
    assert data.rows_of_part(first) + data.rows_of_part(last) == data.rows
    assert data.embeddings_of_part(first) + data.embeddings_of_part(last) == data.embeddings
    assert len(data.rows_of_part(last)) == 1


@pytest.mark.parametrize("search", ["auto", "index", "exact"])
def test_an_exact_search_waits_for_no_index(config, search):
    data = world(change(config, "dedup.search", search))
    assert data.index_searched == ([] if search == "exact" else data.index)
    assert data.index  # which the labels search


@pytest.mark.parametrize(
    ("file", "of_world", "of_own"),
    [
        ("", [], []),
        ("world", ["<results>/world/extra_prompts.parquet"], []),
        ("mine.txt", ["<results>/world/extra_prompts.parquet", "mine.txt"], ["mine.txt"]),
    ],
)
def test_held_out_captions_of_a_world_are_judged_beside_a_users_own(config, file, of_world, of_own):
    config = change(config, "inputs.extra_prompts", file)
    assert world(config).extra_prompts == of_world
    assert own(config).extra_prompts == of_own


def test_downloads_lie_in_the_results_unless_a_cache_is_named(config):
    config = change(config, "results", "out")
    assert world(change(config, "inputs.download.cache", "")).url_cache == "out/inputs/urls"
    assert world(change(config, "inputs.download.cache", "/c")).url_cache == "/c"


def test_memory_for_downloads_grows_with_workers_and_with_the_largest_file(config):
    def mb(workers, size):
        given = change(config, "inputs.download.workers", workers)
        return world(change(given, "inputs.download.max_bytes", size)).downloads_mb

    assert mb(4, 10_000_000) == 80
    assert mb(8, 10_000_000) == mb(4, 20_000_000) == 160
