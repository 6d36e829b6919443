"""Precision of the attacks, duplication of what is copied, and Table 1 as a page."""

from typing import Any

import pandas as pd

from verbatim.figures.duplication import describe_duplication, plot_duplication
from verbatim.figures.precision_plot import plot_precision
from verbatim.figures.style import save_figure
from verbatim.figures.table1_plot import plot_table1
from verbatim.io.records import find_rows, read_manifest, read_table
from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk):
        p = smk.params
        precision = smk.input.get("precision")
        prompts = read_table(smk.input.prompts, "prompts")
        tables = [read_table(path, "labels") for path in smk.input.labels]
        shown = pd.concat([prompts["row"], *(table["source_row"] for table in tables)])
        clusters = find_rows(smk.input.clusters, "clusters", shown.unique())
        columns = ["cluster", "size", "share_equal_captions"]
        stats = read_table(smk.input.stats, "cluster_stats", columns)
        n_rows = int(read_manifest(smk.input.manifest)["rows"].sum())
        duplication = {}
        for name, labels in zip(p.names.values(), tables, strict=True):
            duplication[name] = describe_duplication(labels, prompts, clusters, stats, n_rows)
        ours = read_csv(smk.input.table1)
        unique = dict(zip(ours["Model"], ours["Unique sources"], strict=True))
        printed = read_csv(smk.input.paper, keep_default_na=False, na_values=[""])
        attacked = {model: p.names[model] for model in p.attacked}
        figures = {
            "fig3": plot_precision(read_csv(precision) if precision else None, attacked),
            "fig4": plot_duplication(duplication),
            "table1": plot_table1(printed, unique, ",".join(sorted(set(ours["Preset"].dropna())))),
        }
        for name, figure in figures.items():
            save_figure(figure, smk.output.get(name), p.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
