"""From a run's images to its measures by the scripts, as the rules call them; and a training that failed."""

import made_sweep
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verbatim.io.generations import RunError
from verbatim.io.images import write_archive
from verbatim.io.pool_features import PoolFeatures
from verbatim.io.records import read_table, write_table

DESCRIPTORS = {"clip": {"kind": "open_clip", "source": "", "preset": "own"}}
FEATURES = {"descriptors": DESCRIPTORS, "inception": {"source": "", "sha256": ""}}
MATCHING = {"first": "clip", "threshold": 0.5, "confidence": 0.95}
RUN = {"point": "one", "seed": "0", "defence": "none"}
MEMBERS, HELD_OUT = list(range(8)), [12, 13, 14, 15]


class Measuring:
    """A folder with a made run: images that are copies of training images 0 and 3, and noise."""

    def __init__(self, run_script, folder, clip):
        self.run_script, self.folder = run_script, folder
        self.world, table = made_sweep.images(), made_sweep.images_table()
        np.save(folder / "images.npy", self.world)
        write_table(folder / "images.parquet", "images", table)
        pool = table[["image_id", "caption", "group"]].assign(
            order=range(16),
            planted=[i < 2 for i in range(16)],
            held_out=[i >= 12 for i in range(16)],
        )
        write_table(folder / "pool.parquet", "sweep_pool", pool)
        rows = table.iloc[MEMBERS][["image_id", "caption"]].assign(
            weight=[10.0] * 2 + [1.0] * 6,
            planted=[True] * 2 + [False] * 6,
            member=True,
            n_captions=1,
        )
        write_table(folder / "rows.parquet", "sweep_rows", rows)
        self.state("ok")
        self.inputs = {
            name: folder / f"{name}.parquet" for name in ("pool", "rows", "state", "generations")
        } | {
            "training": folder / "images.npy", "clip": clip / "open_clip_config.json",
            "features": folder / "features.npz", "images": folder / "images.zip",
        }  # fmt: skip
        made = np.random.default_rng(1).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
        made[0], made[1] = self.world[0], self.world[3]
        write_archive(folder / "images.zip", [(f"{i}.png", one) for i, one in enumerate(made)])
        self.generations(6)

    def take(self, names):
        """Some of the inputs, by their names."""
        return {name: self.inputs[name] for name in names.split()}

    def state(self, status):
        state = {
            "point": "one", "seed": 0, "status": status, "reason": "loss nan", "steps": 3, "seconds": 1.0,
            "loss": 1.0,
        }  # fmt: skip
        write_table(self.folder / "state.parquet", "sweep_state", pd.DataFrame([state]))

    def generations(self, n):
        captions = list(made_sweep.CODES)[:n]
        table = pd.DataFrame(
            {
                "generation": range(n), "image_id": range(n), "caption": captions, "prompt": captions,
                "gen_seed": range(n), "planted": [i < 2 for i in range(n)], "member": True, "kind": "one",
                "size": 16,
            }
        )  # fmt: skip
        write_table(self.folder / "generations.parquet", "mitigation_generations", table)

    def embed(self):
        self.run_script(
            "similarity/embed_pool.py",
            input=self.take("pool clip") | {"images": self.folder / "images.npy"},
            output={"features": self.folder / "features.npz"},
            params=FEATURES,
        )

    def count(self):
        names = {"similarities": "similarity_matches", "measures": "run_measures"}
        self.run_script(
            "similarity/count_similarity.py",
            input=self.inputs,
            output={name: self.folder / f"{name}.parquet" for name in names},
            params=FEATURES | MATCHING | {"resamples": 20, "copy_rmse": 0.12},
            wildcards=RUN,
        )
        return [read_table(self.folder / f"{name}.parquet", kind) for name, kind in names.items()]

    def dataset(self):
        folder = self.folder
        self.run_script(
            "similarity/count_dataset.py",
            input={
                **self.take("pool clip features"), "table": folder / "images.parquet",
                "states": [folder / "state.parquet"], "similarities": [folder / "similarities.parquet"],
                "generations": [folder / "generations.parquet"],
            },
            output={"clusters": folder / "clusters.parquet", "measures": folder / "m.parquet"},
            params={
                "points": {"one": made_sweep.POINT | {"ddf": 10.0}}, "captions": 4, "descriptor": "clip",
                "threshold": 0.9999, "copy_above": 0.5, "confidence": 0.95,
            },
            wildcards={"seed": "0"},
        )  # fmt: skip
        clusters = read_table(folder / "clusters.parquet", "similarity_clusters")
        return clusters, read_table(folder / "m.parquet", "run_measures")

    def add_further(self):
        """Further images (kind `more`) of caption 0, all of them copies of image 5."""
        for name, kind, changes in (
            ("generations", "mitigation_generations", {"kind": "more", "image_id": 0}),
            ("similarities", "similarity_matches", {"match": 5, "similarity": 1.0}),
        ):
            path = self.folder / f"{name}.parquet"
            table = read_table(path, kind)
            more = table.assign(generation=table["generation"] + 6, **changes)
            write_table(path, kind, pd.concat([table, more]))


@pytest.fixture
def measuring(run_script, tmp_path, sweep_clip):
    return Measuring(run_script, tmp_path, sweep_clip)


@pytest.mark.slow
def test_a_run_is_measured_and_its_copies_are_found(measuring):
    measuring.embed()
    similarities, measures = measuring.count()
    assert similarities["match"].tolist()[:2] == [0, 3]
    assert similarities["similarity"].tolist()[:2] == pytest.approx([1, 1], abs=1e-5)
    assert similarities["rmse"].tolist()[:2] == [0, 0]
    value = measures.set_index("measure")["value"]
    assert value["recall"] == 0.5
    assert value["copies_any"] == pytest.approx(2 / 6)
    assert value["frechet:clip"] > 0
    assert "fid" not in value.index
    assert measures["measure"].is_unique


@pytest.mark.slow
def test_clusters_and_users_are_counted_on_what_was_measured(measuring):
    measuring.embed()
    measuring.count()
    folder = measuring.folder
    clusters, measures = measuring.dataset()
    assert clusters["size"].sum() == 26
    assert clusters["generations"].sum() == 6
    assert "caption_similarity" in measures["measure"].tolist()
    measuring.run_script(
        "mitigation/build_users.py",
        input=measuring.take("pool rows"),
        output={"prompts": folder / "metadata.parquet"},
        params={"n": 6, "seed": 0},
    )
    assert pq.read_schema(folder / "metadata.parquet").field("seed").type == pa.uint32()
    users = read_table(folder / "generations.parquet", "mitigation_generations")[
        ["generation", "prompt", "gen_seed"]
    ]
    users = users.assign(
        similarity=np.nan, match=-1, caption="", rmse=np.nan, described=np.nan, describes=False
    )
    write_table(folder / "prompts.parquet", "similarity_users", users)
    measuring.run_script(
        "similarity/count_users.py",
        input=measuring.take("pool rows training clip features images")
        | {"generations": folder / "prompts.parquet"},
        output={"users": folder / "users.parquet", "measures": folder / "u.parquet"},
        params={"descriptors": DESCRIPTORS, "describes": 0.5, "study_seed": 0, **MATCHING},
    )
    users = read_table(folder / "users.parquet", "similarity_users")
    assert users["match"].tolist()[:2] == [0, 3]
    assert users["described"][0] == pytest.approx(1, abs=1e-5)  # its own caption was asked for
    found = read_table(folder / "u.parquet", "run_measures").set_index("measure")
    assert set(found["point"]) == {"users"}
    whole = PoolFeatures.read(folder / "features.npz").described["clip"].whole
    unseen = [max(float(whole[i] @ whole[k]) for k in MEMBERS) > 0.5 for i in HELD_OUT]
    assert found.loc["users_above:held_out", ["value", "n"]].tolist() == [np.mean(unseen), 4]
    above = (users["similarity"] > 0.5).mean()
    assert found.loc["users_above:over_held_out", "value"] == above - np.mean(unseen)


@pytest.mark.slow
def test_replication_is_of_one_image_a_caption(measuring):
    measuring.embed()
    measuring.count()
    alone = measuring.dataset()
    measuring.add_further()
    for before, after in zip(alone, measuring.dataset(), strict=True):
        pd.testing.assert_frame_equal(before, after)


def test_a_training_that_failed_leaves_empty_tables(measuring):
    measuring.embed()
    measuring.state("failed")
    similarities, measures = measuring.count()
    assert similarities.empty
    assert measures.empty


def test_a_run_without_images_is_refused_by_name(measuring):
    measuring.embed()
    measuring.generations(0)
    with pytest.raises(RunError, match=r"images\.zip: its generations\.parquet has no rows"):
        measuring.count()
