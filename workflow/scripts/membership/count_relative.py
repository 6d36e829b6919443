"""Relative distance of the images that models without captions make, to the training images."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.generations import read_generations
from verbatim.io.images import ImageArchive
from verbatim.io.measures import Measures
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.seals import read_array
from verbatim.membership import relative
from verbatim.metrics.rmse import rmse
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        world = read_array(smk.input.images)
        tables = [SCHEMAS["membership_relative"].empty_table().to_pandas()]
        measures = [SCHEMAS["run_measures"].empty_table().to_pandas()]
        for i, (point, seed) in enumerate(p.runs):
            generations = read_table(smk.input.generations[i], "mitigation_generations")
            if not len(generations):
                log.warning(
                    "%s, seed %s: no images (%s)", point, seed, Path(smk.input.generations[i])
                )
                continue
            with ImageArchive(smk.input.archives[i]) as archive:
                made = read_generations(archive, generations, world.shape[1])
            rows = read_table(smk.input.rows[i], "sweep_rows")
            ids = rows["image_id"][rows["member"]].to_numpy()
            distances = rmse(made / 255.0, world[ids] / 255.0)
            ratio, nearest = relative.relative_distances(distances, p.nearest, p.alpha)
            of_run = relative.relative_table(point, seed, generations, ratio, ids[nearest])
            out = Measures(point, int(seed), "none")
            relative.relative_measures(of_run, ids, p.nearest, p.confidence, out)
            tables.append(of_run)
            measures.append(out.table)
        write_table(smk.output.distances, "membership_relative", pd.concat(tables))
        write_table(smk.output.measures, "run_measures", pd.concat(measures))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
