"""The scripts of inputs and dedup one after the other, as the rules chain them, on a made source."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_inputs import png, random_units, unit, write_shard, write_tar

from verbatim.inputs.layouts import InputError
from verbatim.io.images import ImageArchive, row_name
from verbatim.io.records import read_manifest, read_table, write_table

N = 60
CAPTIONS = [f"caption {i}" for i in range(N)]
CAPTIONS[3:9] = ["planted"] * 6  # rows 3 to 8: one image, one caption
CAPTIONS[20:24] = ["often"] * 4  # rows 20 to 23: one caption, four images
CAPTIONS[30] = "../../etc/passwd\n'; 🐼"
CAPTIONS[31] = ""
CAPTIONS[32] = "x" * 300


def vectors() -> np.ndarray:
    out = random_units(N, 24)
    out[3:9] = out[3]
    noise = np.random.default_rng(1).normal(size=(4, 24)) * 0.01
    out[40:44] = unit(out[40] + noise)  # near-duplicates with four captions
    out[44] = unit((out[40] + 0.55 * out[50])[None])[0]  # a template relative of theirs
    out[33] = np.nan
    out[34] = 0
    return out


def make_source(folder: Path, cuts: list[int]) -> tuple[list[str], list[str]]:
    """The same rows in shards cut anywhere; archives of ten images each, row 41's broken, 42's gone."""
    arrays, tables = [], []
    keys = np.array([f"{i:05d}" for i in range(N)])
    parts = np.split(np.arange(N), cuts)
    for number, rows in enumerate(parts):
        captions = [CAPTIONS[i] for i in rows]
        array, table = write_shard(folder, number, vectors()[rows], captions, key=keys[rows])
        arrays.append(str(array))
        tables.append(str(table))
    for number in range(N // 10):
        members = {}
        for i in range(10 * number, 10 * number + 10):
            members[f"{keys[i]}.png"] = b"broken" if i == 41 else png(i, (6, 4))
        members.pop("00042.png", None)
        # keys of five digits: an archive's name and one digit
        tar = write_tar(folder / "data" / f"{number:04d}.tar", members)
        if number % 2:
            rows = range(10 * number, 10 * number + 10)
            pd.DataFrame({"key": [keys[i] for i in rows]}).to_parquet(tar.with_suffix(".parquet"))
    return arrays, tables


@pytest.fixture
def run_stage(run_script, tmp_path: Path):
    def run(
        name: str, cuts: list[int], batch: int = 1000, a_part: int = 100, search: str = "auto"
    ) -> Path:
        source, out = tmp_path / name / "source", tmp_path / name
        arrays, tables = make_source(source, cuts)
        shards = [f"{i:05d}" for i in range(len(arrays))]
        rows = [str(out / f"inputs/rows/{s}.parquet") for s in shards]
        pairs = [str(out / f"dedup/pairs/{s}.parquet") for s in shards]
        chars = {"min_caption_chars": 1, "max_caption_chars": 200}
        manifest = out / "inputs/manifest.tsv"
        archives = out / "inputs/archives.tsv"
        dedup = out / "dedup"
        run_script(
            "inputs/check_inputs.py",
            input={"embeddings": arrays, "metadata": tables},
            output={"manifest": manifest, "archives": archives},
            params={"images": str(source / "data"), "most_missing": 0.5},
        )
        for i, shard in enumerate(shards):
            run_script(
                "inputs/build_rows.py",
                input={
                    "manifest": manifest, "archives": archives, "embeddings": arrays[i],
                    "metadata": tables[i],
                },
                output={"rows": rows[i]},
                params={"norm_tolerance": 0.01, **chars},
                wildcards={"shard": shard},
            )  # fmt: skip
        memory = {"memory_mb": 1}
        marks = [str(dedup / f"fingerprints/{s}.npy") for s in shards]
        for i, shard in enumerate(shards):
            run_script(
                "dedup/build_fingerprints.py",
                input={"manifest": manifest, "rows": rows[i]},
                output={"fingerprints": marks[i]},
                wildcards={"shard": shard},
            )
        copies, trained = dedup / "copies.parquet", dedup / "trained.faiss"
        run_script(
            "dedup/merge_copies.py",
            input={"manifest": manifest, "fingerprints": marks},
            output={"copies": copies},
            params=memory,
        )
        run_script(
            "dedup/train_index.py",
            input={"manifest": manifest, "rows": rows, "copies": copies},
            output={"index": trained},
            params={"factory": "Flat", "nprobe": 1, "train_rows": 9, "seed": 0, "gpu": 1},
        )
        parts = []
        for i in range(0, len(shards), a_part):
            parts.append(str(dedup / f"index/{i // a_part:05d}.faiss"))
            run_script(
                "dedup/build_index.py",
                input={
                    "manifest": manifest, "rows": rows[i : i + a_part], "copies": copies,
                    "trained": trained,
                },
                output={"index": parts[-1]},
                params={"batch": batch},
                wildcards={"part": f"{i // a_part:05d}"},
            )  # fmt: skip
        for i, shard in enumerate(shards):
            run_script(
                "dedup/search_pairs.py",
                input={
                    "manifest": manifest, "rows": rows[i], "copies": copies,
                    "index": [] if search == "exact" else parts,
                },
                output={"pairs": pairs[i]},
                params={
                    "search": search, "exact_rows": {"cpu": N, "gpu": N},
                    "k": 3, "most_neighbours": 20, "threshold": 0.95, "relatives_threshold": 0.8,
                    "margin": 0.01, "batch": batch, "gpu": 0, **memory,
                },
                wildcards={"shard": shard},
            )  # fmt: skip
        clusters, stats = dedup / "clusters.parquet", dedup / "cluster_stats.parquet"
        sizes = dedup / "cluster_sizes.parquet"
        run_script(
            "dedup/cluster_rows.py",
            input={"manifest": manifest, "pairs": pairs},
            output={"clusters": clusters, "sizes": sizes},
            params={"threshold": 0.95, **memory},
        )
        run_script(
            "dedup/count_clusters.py",
            input={"rows": rows, "clusters": clusters},
            output={"stats": stats},
            params=memory,
        )
        run_script(
            "dedup/count_duplicates.py",
            input={"rows": rows, "clusters": clusters, "stats": stats},
            output={"histograms": dedup / "histograms.parquet"},
            params={"share_bins": 10},
        )
        extra = out / "extra.parquet"
        write_table(extra, "extra_prompts", {"caption": ["held out", "caption 59"]})
        mine = out / "mine.csv"  # a user's, one of which the world holds out too
        mine.write_text("caption\nheld out\nmy own\n")
        run_script(
            "dedup/select_prompts.py",
            input={"rows": rows, "sizes": sizes, "stats": stats, "extra": [extra, mine]},
            output={"prompts": dedup / "prompts.parquet"},
            params={"n_prompts": 12, **chars, **memory},
        )
        run_script(
            "dedup/select_kept_rows.py",
            input={"rows": rows, "clusters": clusters},
            output={"kept": dedup / "kept_rows.parquet"},
            params=memory,
        )
        for i, shard in enumerate(shards):
            run_script(
                "dedup/compare_pairs.py",
                input={"manifest": manifest, "clusters": clusters, "pairs": pairs[i]},
                output={"templates": dedup / f"templates/{shard}.parquet"},
                params={
                    "rows": str(out / "inputs/rows"), "keep": 9, "most_missing": 0.5,
                    "settings": {
                        "size": 8, "low": 0.01, "high": 0.5, "difference": 0.03, "erode": 1,
                        "dilate": 1, "min_shared": 0.3,
                    },
                },
                wildcards={"shard": shard},
            )  # fmt: skip
        assert not list(dedup.glob("*.scratch"))
        return out

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cuts", "batch", "a_part"), [([7, 30], 5, 100), ([1, 2, 3, 4, 5, 41], 1000, 2)]
)
def test_results_do_not_depend_on_the_shards(run_stage, cuts, batch, a_part):
    one, many = run_stage("one", []), run_stage("many", cuts, batch, a_part)
    for table in (
        "copies", "clusters", "cluster_sizes", "cluster_stats", "histograms", "prompts", "kept_rows",
    ):  # fmt: skip
        pd.testing.assert_frame_equal(
            read_table(one / f"dedup/{table}.parquet", table),
            read_table(many / f"dedup/{table}.parquet", table),
            rtol=1e-4,
        )


@pytest.mark.slow
def test_results_do_not_depend_on_the_search(run_stage):
    indexed = run_stage("index", [7, 30], batch=5, search="index")
    pairs = [read_table(p, "pairs") for p in sorted((indexed / "dedup/pairs").iterdir())]
    want = pd.concat(pairs).drop_duplicates().sort_values(["row_a", "row_b"], ignore_index=True)
    assert len(want) > 10
    for search in ("auto", "exact"):
        out = run_stage(search, [7, 30], batch=5, search=search)
        pairs = [read_table(p, "pairs") for p in sorted((out / "dedup/pairs").iterdir())]
        got = pd.concat(pairs).sort_values(["row_a", "row_b"], ignore_index=True)
        pd.testing.assert_frame_equal(got, want)  # each pair in one shard
        for table in ("clusters", "cluster_stats", "histograms", "prompts", "kept_rows"):
            pd.testing.assert_frame_equal(
                read_table(out / f"dedup/{table}.parquet", table),
                read_table(indexed / f"dedup/{table}.parquet", table),
            )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("search", "rows", "line"),
    [
        ("auto", N, f"exact search of 58 rows on the device cpu: {N} rows are at most dedup.exact_rows.cpu = {N}"),
        ("auto", 1, f"index search of 58 rows on the CPU \\(.*\\): {N} rows are more than dedup.exact_rows.cpu = 1"),
        ("exact", 1, "exact search of 58 rows on the device cpu: dedup.search is exact"),
        ("index", N, "index search of 58 rows on the CPU \\(.*\\): dedup.search is index"),
    ],
)  # fmt: skip
def test_the_log_says_which_search_ran_and_why(run_stage, run_script, search, rows, line):
    out = run_stage("run", [])
    dedup = out / "dedup"
    run_script(
        "dedup/search_pairs.py",
        input={
            "manifest": out / "inputs/manifest.tsv", "rows": out / "inputs/rows/00000.parquet",
            "copies": dedup / "copies.parquet",
            "index": [] if search == "exact" else [dedup / "index/00000.faiss"],
        },
        output={"pairs": dedup / "again.parquet"},
        params={
            "search": search, "exact_rows": {"cpu": rows, "gpu": rows},
            "k": 3, "most_neighbours": 20, "threshold": 0.95, "relatives_threshold": 0.8,
            "margin": 0.01, "batch": 7, "gpu": 0, "memory_mb": 1,
        },
        wildcards={"shard": "00000"},
    )  # fmt: skip
    assert re.search(line, (out.parent / "job.log").read_text())


@pytest.mark.slow
def test_the_stage_finds_what_was_planted(run_stage):
    out = run_stage("run", [25])
    manifest = read_manifest(out / "inputs/manifest.tsv")
    assert manifest["first_row"].tolist() == [0, 25]
    rows = pd.concat(
        [read_table(p, "rows") for p in sorted((out / "inputs/rows").iterdir())], ignore_index=True
    )
    assert rows["row"].tolist() == list(range(N))
    assert rows["caption"].tolist() == CAPTIONS
    assert dict(rows.loc[rows["status"] != "ok", ["row", "status"]].to_numpy().tolist()) == {
        31: "bad_caption", 32: "bad_caption", 33: "bad_embedding", 34: "bad_embedding",
    }  # fmt: skip
    clusters = read_table(out / "dedup/clusters.parquet", "clusters")
    assert clusters["row"].tolist() == [3, 4, 5, 6, 7, 8, 40, 41, 42, 43]
    assert clusters["cluster"].tolist() == [3] * 6 + [40] * 4
    stats = read_table(out / "dedup/cluster_stats.parquet", "cluster_stats")
    assert stats["share_equal_captions"].tolist() == [1, 0.25]
    histogram = read_table(out / "dedup/histograms.parquet", "histograms")
    assert histogram[["size_low", "share_high", "clusters", "rows"]].to_numpy().tolist() == [
        [1, 1, 48, 48], [4, 0.3, 1, 4], [4, 1, 1, 6],
    ]  # fmt: skip
    templates = pd.concat(
        [read_table(p, "templates") for p in (out / "dedup/templates").iterdir()]
    ).set_index(["row_a", "row_b"])
    assert templates.loc[(40, 41), "reason"].startswith("row 41: ")  # its image is broken
    assert templates.loc[(40, 42), "status"] == "not_checked"
    assert templates.loc[(40, 43), "status"] == "ok"
    assert templates.loc[(40, 43), "shared"] == 0  # each of one shade, and not the same
    assert not templates["template"].any()
    prompts = read_table(out / "dedup/prompts.parquet", "prompts")
    assert prompts["caption"].tolist()[:6] == [
        "planted", "often", "caption 40", "caption 41", "caption 42", "caption 43",
    ]  # fmt: skip
    assert len(prompts) == 15
    beside = prompts[prompts["extra"]]
    assert sorted(beside["caption"]) == [
        "caption 59",
        "held out",
        "my own",
    ]  # of two lists, once each
    assert prompts["prompt_id"].is_unique
    assert prompts["row"].tolist()[-3:] == [59, -1, -1]
    kept = read_table(out / "dedup/kept_rows.parquet", "kept_rows")["row"].tolist()
    assert kept == [i for i in range(N) if i not in (4, 5, 6, 7, 8, 41, 42, 43, 31, 32, 33, 34)]


@pytest.mark.slow
def test_images_of_rows_neighbours_and_relatives_are_fetched(run_stage, run_script):
    out = run_stage("run", [25])
    labels = out / "labels"
    selection = {"prompt_id": [1, 2, 3], "caption": ["planted", "x", "new"], "row": [5, 41, -1]}
    write_table(
        labels / "selection.parquet", "selection", {**selection, "extra": False, "why": "dcs"}
    )
    neighbours = {"prompt_id": [1, 1], "seed": [0, 0], "order": [0, 1], "row": [3, 58]}
    write_table(labels / "neighbours.parquet", "neighbours", {**neighbours, "similarity": 0.5})
    run_script(
        "labels/select_images.py",
        input={
            "selection": labels / "selection.parquet",
            "neighbours": labels / "neighbours.parquet",
            "rows": sorted((out / "inputs/rows").iterdir()),
            "pairs": sorted((out / "dedup/pairs").iterdir()),
            "clusters": out / "dedup/clusters.parquet",
            "copies": out / "dedup/copies.parquet",
        },
        output={
            "wanted": labels / "wanted.parquet",
            "relatives": labels / "relatives.parquet",
        },
        params={"relatives": 3},
    )
    run_script(
        "labels/fetch_images.py",
        input={"wanted": labels / "wanted.parquet", "urls": []},
        output={
            "images": labels / "training.zip",
            "fetched": labels / "fetched.parquet",
        },
        params={"cache": labels / "urls", "most_missing": 0.5},
    )
    fetched = read_table(labels / "fetched.parquet", "fetched").set_index("row")
    relatives = read_table(labels / "relatives.parquet", "relatives")
    assert set(relatives["row"]) == {41}
    assert 44 in relatives["relative"].tolist()  # below the clusters' threshold
    assert set(fetched.index) == {3, 5, 41, 58, *relatives["relative"]}
    assert fetched.loc[41, "status"] == "broken"
    assert fetched.loc[5, "caption"] == "planted"
    with ImageArchive(labels / "training.zip") as archive:
        ok = fetched[fetched["status"] == "ok"]
        assert archive.names() == [row_name(row) for row in ok.index] == ok["member"].tolist()
        for row in ok.index:
            image = archive.read(row_name(row))
            assert image.shape == (4, 6, 3)
            np.testing.assert_allclose(image, row / 255, atol=1e-6)


@pytest.mark.slow
def test_the_log_names_what_cannot_be_used(run_stage, tmp_path: Path, run_script):
    out = run_stage("run", [])
    source = out / "source"
    (source / "metadata" / "metadata_0000.parquet").write_bytes(b"half a file")
    with pytest.raises(InputError):
        run_script(
            "inputs/check_inputs.py",
            input={
                "embeddings": [source / "img_emb/img_emb_0000.npy"],
                "metadata": [source / "metadata/metadata_0000.parquet"],
            },
            output={"manifest": tmp_path / "m.tsv", "archives": tmp_path / "a.tsv"},
            params={"images": "", "most_missing": 0.5},
        )
    assert "metadata_0000.parquet: not a Parquet file" in (tmp_path / "job.log").read_text()
    assert not (tmp_path / "m.tsv").exists()
