"""A point from the pool to its scores by the scripts, as the rules call them; and one that diverges."""

import made_sweep
import numpy as np
import pytest
from safetensors.numpy import load_file

from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table, write_table

POINT, TRAINING, INFERENCE = made_sweep.POINT, made_sweep.TRAINING, made_sweep.INFERENCE
ECS = {"size": 16, "sobel": "nd", "threshold": 2.0, "agreement": 0.5, "guidance": 1.0}
SAMPLING = {"sampler": "heun", "spacing": "karras", "steps": 2, "guidance": 3.0, "batch": 8}


class Study:
    """A folder in which the rules' scripts are run one after the other."""

    def __init__(self, run_script, folder, world):
        self.run_script, self.folder, self.world = run_script, folder, world

    def pool(self):
        self.run_script(
            "sweep/select_pool.py",
            input={
                "images": self.world / "images.npy",
                "table": self.world / "images.parquet",
            },
            output={"pool": self.folder / "pool.parquet"},
            params={"duplicated": 2, "held_out": 4, "most": 8, "seed": 0},
        )
        return read_table(self.folder / "pool.parquet", "sweep_pool")

    def base(self):
        """The model that a point's training continues from, trained for two steps the first time."""
        folder = self.world / "base"
        if not folder.exists():
            self.run_script(
                "sweep/train_sweep_base.py",
                input={
                    "images": self.world / "pretraining.npy", "table": self.world / "images.parquet",
                    "clip": self.world / "clip/open_clip_config.json", "vae": self.world / "vae/config.json",
                },
                output={
                    "config": folder / "unet/config.json", "training_log": self.world / "base.parquet",
                    "weights": folder / "unet/diffusion_pytorch_model.safetensors",
                },
                params={
                    "training": TRAINING | {"steps": 2}, "captions": 4, "seed": 2, "checkpoint_every": 200,
                    "checkpoint": self.world / "base.safetensors",
                },
            )  # fmt: skip
        return folder

    def train(self, training=TRAINING, **changes):
        base = self.base() / "unet/config.json"
        files = {"rows": "rows.parquet", "state": "state.parquet", "training_log": "log.parquet"}
        self.run_script(
            "sweep/train_point.py",
            input={
                "pool": self.folder / "pool.parquet", "images": self.world / "images.npy",
                "table": self.world / "images.parquet", "clip": self.world / "clip/open_clip_config.json",
                "vae": self.world / "vae/config.json", "base": base,
            },
            output={k: self.folder / v for k, v in files.items()} | {"model": self.folder / "model"},
            params={
                "point": POINT | changes, "training": training, "mitigations": made_sweep.MITIGATIONS,
                "checkpoint_every": 200,
                "captions": 4, "seed": 1, "checkpoints": self.folder / "checkpoints",
            },
            wildcards={"point": "one", "seed": "0"},
        )  # fmt: skip
        return read_table(self.folder / "state.parquet", "sweep_state").iloc[0]

    def generate(self, defence="none", unconditional=False):
        folder = self.folder / defence
        self.run_script(
            "mitigation/generate_point.py",
            input={name: self.folder / f"{name}.parquet" for name in ("rows", "state")}
            | {"model": self.folder / "model"},
            output={"images": folder / "p.zip", "generations": folder / "g.parquet"},
            params=SAMPLING
            | {"sample": 4, "more": 2, "others": 2, "inference": INFERENCE}
            | {"unconditional": unconditional},
            wildcards={"point": "one", "seed": "0", "defence": defence},
        )
        return read_table(folder / "g.parquet", "mitigation_generations")

    def score(self, defence="none", conditioning="own"):
        folder = self.folder / defence
        self.run_script(
            "membership/score_point.py",
            input={name: self.folder / f"{name}.parquet" for name in ("pool", "rows", "state")}
            | {"model": self.folder / "model"}
            | {"images": folder / "p.zip", "generations": folder / "g.parquet"},
            output={"scores": folder / "s.parquet"},
            params={
                "guidance": 7.5, "seeds": [0, 1], "ecs_seeds": [0, 1], "batch": 8, "others": 2, "held_out": 3,
                "ecs": ECS, "clique": {"tiles": 4, "edge": 0.2, "clique": 3}, "inference": INFERENCE,
                "conditioning": conditioning,
            },
            wildcards={"point": "one", "seed": "0", "defence": defence},
        )  # fmt: skip
        return read_table(folder / "s.parquet", "membership_scores")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the study takes of the embedded world."""
    folder = tmp_path_factory.mktemp("world")
    np.save(folder / "images.npy", made_sweep.images())
    np.save(folder / "pretraining.npy", np.concatenate([made_sweep.images()[:, ::-1]] * 2))
    write_table(folder / "images.parquet", "images", made_sweep.images_table())
    made_sweep.make_clip(folder / "clip")
    made_sweep.make_vae(folder / "vae")
    return folder


@pytest.fixture
def study(run_script, tmp_path, world):
    return Study(run_script, tmp_path / "study", world)


@pytest.mark.slow
def test_a_point_is_trained_drawn_and_attacked(study):
    pool = study.pool()
    state = study.train(ddf=5.0)
    assert (state["point"], state["seed"], state["status"], state["steps"]) == ("one", 0, "ok", 3)
    assert np.isfinite(state["loss"])
    assert len(read_table(study.folder / "log.parquet", "training_log")) == 3
    assert (study.folder / "model/model_index.json").is_file()
    assert not list(study.folder.glob("checkpoints/*"))
    rows = read_table(study.folder / "rows.parquet", "sweep_rows")
    assert rows.image_id.tolist() == pool.image_id.tolist()[:8]

    made = study.generate()
    assert made.kind.value_counts().to_dict() == {"one": 4, "more": 8}
    assert made.prompt.tolist() == made.caption.tolist()
    with ImageArchive(study.folder / "none/p.zip") as archive:
        assert archive.names() == [f"{i}.png" for i in made.generation]
        assert archive.read("0.png").shape == (16, 16, 3)

    scores = study.score()
    assert len(scores) == 2 + 2 + 3
    assert scores.planted.tolist() == [True] * 2 + [False] * 5
    held_out = scores[~scores.member]
    assert set(held_out.image_id) <= set(pool.image_id[pool.held_out])
    assert np.isfinite(scores[["dcs", "ecs"]]).all(None)
    assert (held_out.clique_size == 0).all()
    assert (scores[scores.member].clique_size >= 1).all()


def test_a_base_is_trained_on_its_own_images_and_every_point_continues_from_it(study):
    folder = study.base()
    assert len(read_table(study.world / "base.parquet", "training_log")) == 2
    assert (folder / "model_index.json").is_file()
    study.pool()
    study.train({**TRAINING, "learning_rate": 1e-12})  # what a training leaves as it was
    for file in ("unet/diffusion_pytorch_model", "text_encoder/model"):
        ours, theirs = (
            load_file(one / f"{file}.safetensors") for one in (study.folder / "model", folder)
        )
        assert all(np.allclose(ours[key], theirs[key], atol=1e-6) for key in theirs)


@pytest.mark.slow
def test_a_defence_changes_prompts_and_scores_and_keeps_the_noise(study):
    study.pool()
    study.train()
    plain, changed = study.generate(), study.generate("cwr")
    assert changed.gen_seed.tolist() == plain.gen_seed.tolist()
    assert changed.caption.tolist() == plain.caption.tolist()
    assert (changed.prompt != changed.caption).any()
    assert study.score("cwr").dcs.tolist() != study.score().dcs.tolist()


@pytest.mark.slow
def test_a_point_without_captions_is_drawn_and_has_no_scores(study):
    study.pool()
    study.train(conditioning="none")
    made = study.generate(unconditional=True)
    assert len(made) == 12
    assert set(made.prompt) == {""}
    assert len(study.score(conditioning="none")) == 0


@pytest.mark.slow
def test_held_out_captions_are_of_the_points_kind(study):
    study.pool()
    study.train(conditioning="fixed")
    study.generate()
    assert set(study.score(conditioning="fixed").caption) == {"an image"}


def test_a_training_that_diverges_is_recorded_and_everything_after_it_is_empty(study):
    study.pool()
    state = study.train(TRAINING | {"learning_rate": 1e30})
    assert state["status"] == "failed"
    assert "the loss is" in state["reason"]
    assert list((study.folder / "model").iterdir()) == []
    assert len(study.generate()) == 0
    with ImageArchive(study.folder / "none/p.zip") as archive:
        assert archive.names() == []
    assert len(study.score()) == 0
