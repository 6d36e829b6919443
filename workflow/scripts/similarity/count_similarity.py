"""Measure one run: similarity to training images, copies, complexity, Frechet distance, CLIP score."""

from functools import partial
from pathlib import Path
from typing import Any

from verbatim.io.generations import read_generations
from verbatim.io.images import ImageArchive
from verbatim.io.measures import Measures
from verbatim.io.pool_features import Described, PoolFeatures
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.seals import read_array
from verbatim.models.descriptor_specs import make_specs
from verbatim.models.descriptors import load_descriptor
from verbatim.runtime import device, script
from verbatim.similarity.quality import Inception, clip_score, frechet_distance
from verbatim.similarity.run_measures import Settings
from verbatim.similarity.runs import Quality, Run, count_quality, count_run


def main(smk: Any) -> None:
    with script(smk) as log:
        p, w = smk.params, smk.wildcards
        out = Measures(w.point, int(w.seed), w.defence)
        similarities = SCHEMAS["similarity_matches"].empty_table().to_pandas()
        state = read_table(smk.input.state, "sweep_state").iloc[0]
        if state["status"] == "failed":
            log.warning("the training failed (%s): nothing to measure", state["reason"])
        else:
            from verbatim.models.clip import ClipEmbedder

            world = read_array(smk.input.training)
            pool = read_table(smk.input.pool, "sweep_pool")
            generations = read_table(smk.input.generations, "mitigation_generations")
            with ImageArchive(smk.input.images) as archive:
                images = read_generations(archive, generations, world.shape[1])
            folder, made = str(Path(smk.input.clip).parent), {}
            for spec in make_specs(p.descriptors, folder):
                made[spec.name] = Described(*load_descriptor(spec, device()).describe(list(images)))
            run = Run(
                generations, images, read_table(smk.input.rows, "sweep_rows"),
                PoolFeatures.read(smk.input.features), world,
                pool["image_id"][pool["held_out"]].tolist(),
            )  # fmt: skip
            settings = Settings(p.first, p.threshold, p.resamples, p.confidence, p.copy_rmse)
            similarities = count_run(run, made, out, settings)
            inception = None
            if p.inception["source"]:
                inception = Inception(**p.inception, device=device()).features(list(images))
            clip = ClipEmbedder(folder, device())
            quality = Quality(inception, frechet_distance, partial(clip_score, clip))
            count_quality(run, made, quality, out, settings)
        write_table(smk.output.similarities, "similarity_matches", similarities)
        write_table(smk.output.measures, "run_measures", out.table)
        log.info("%d measures of %d generations", len(out.rows), len(similarities))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
