"""How many images of users' prompts look like a training image, and whether the prompt describes it."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.generations import read_generations
from verbatim.io.images import ImageArchive
from verbatim.io.measures import Measures
from verbatim.io.pool_features import PoolFeatures
from verbatim.io.records import read_table, write_table
from verbatim.io.seals import read_array
from verbatim.metrics.similarity import nearest
from verbatim.models.clip import ClipEmbedder
from verbatim.models.descriptor_specs import make_specs
from verbatim.models.descriptors import load_descriptor
from verbatim.runtime import device, script
from verbatim.similarity.users import TrainingImages, add_users, match_users


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        users = read_table(smk.input.generations, "similarity_users")
        out = Measures("users", p.study_seed, "none")
        if users.empty:
            log.warning("no images: see the log of generate_users")
        else:
            world = read_array(smk.input.training)
            rows = read_table(smk.input.rows, "sweep_rows")
            rows = rows[rows["member"]]
            ids = rows["image_id"].to_numpy()
            with ImageArchive(smk.input.images) as archive:
                images = read_generations(archive, users, world.shape[1])
            folder = str(Path(smk.input.clip).parent)
            specs = {spec.name: spec for spec in make_specs(p.descriptors, folder)}
            made = load_descriptor(specs[p.first], device()).describe(list(images)).whole
            pool = read_table(smk.input.pool, "sweep_pool", ["image_id", "held_out"])
            features = PoolFeatures.read(smk.input.features, [p.first], inception=False)
            training = features.of(ids)[p.first].whole
            unseen = features.of(pool["image_id"][pool["held_out"]].to_numpy())[p.first].whole
            users = match_users(
                users, images, made, TrainingImages(rows, training, world[ids]),
                ClipEmbedder(folder, device()).embed_texts, p.describes,
            )  # fmt: skip
            weight = dict(zip(ids.tolist(), rows["weight"].tolist(), strict=True))
            held_out = nearest(unseen, training)[0][:, 0] if len(unseen) else np.zeros(0)
            add_users(out, users, weight, held_out, p.threshold, p.confidence)
        write_table(smk.output.users, "similarity_users", users)
        write_table(smk.output.measures, "run_measures", out.table)
        log.info("%d generations", len(users))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
