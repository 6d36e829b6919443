"""A figure for each finding of the study."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from verbatim.claims import curves, plots, repetition
from verbatim.claims.designs import Series, make_grid
from verbatim.claims.mitigation_table import RUN_COLUMNS, table_runs
from verbatim.figures.style import save_figure
from verbatim.io.generations import sample_similarities
from verbatim.io.pool_features import PoolFeatures
from verbatim.io.records import read_table, read_tables
from verbatim.runtime import script

NO_CAPTIONS = {"conditioning": "none"}
DDF = {
    "image and caption": Series("ddf", "full"),
    "image only": Series("ddf", "image_only"),
    "image, no captions": Series("ddf", "full", NO_CAPTIONS),
}


def read_or_none(path: str | None, kind: str) -> pd.DataFrame | None:
    """A table, or None where no rule of this run makes it."""
    return read_table(path, kind) if path else None


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        measures = read_table(smk.input.measures, "run_measures")
        pool = read_table(smk.input.pool, "sweep_pool")
        grid = make_grid(p.points, p.base, int((~pool["held_out"]).sum()), p.defended, p.defences)
        lines = pd.DataFrame(table_runs(grid), columns=RUN_COLUMNS)
        member = read_or_none(smk.input.get("membership"), "membership_lira")
        relative = read_or_none(smk.input.get("relative"), "membership_relative")
        clusters = read_tables(smk.input.clusters, "similarity_clusters")
        rows = read_table(smk.input.similarities, "similarity_matches")
        made = read_table(smk.input.generations, "mitigation_generations")
        rows = sample_similarities(rows[rows["descriptor"] == p.descriptor], made)
        complexity = PoolFeatures.read(smk.input.features, [], inception=False).complexity
        c = p.confidence

        def of(series: dict[str, Series], label: str) -> Figure:
            return plots.plot_series(measures, grid, series, label, c)

        figures = {
            "duplication": of(DDF, "draws of a duplicated image to one of another"),
            "conditioning": plots.plot_conditioning(measures, grid, c),
            "data": of({"own captions": Series("images")}, "training images"),
            "length": of({"own captions": Series("steps")}, "steps of training"),
            "mitigations_training": plots.plot_mitigations(measures, lines, "train", c),
            "mitigations_inference": plots.plot_mitigations(measures, lines, "inference", c),
            "attacks": plots.plot_attacks(measures, lines, c),
            "complexity": curves.plot_complexity(rows, complexity, p.complexity_of),
            "clusters": repetition.plot_clusters(clusters, measures, grid),
            "membership": curves.plot_membership(member, p.resamples, c),
            "relative": curves.plot_relative(relative, p.without_captions),
            "users": repetition.plot_users(measures),
        }
        for name, path in zip(p.figures, smk.output.png, strict=True):
            save_figure(figures[name], path, p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
