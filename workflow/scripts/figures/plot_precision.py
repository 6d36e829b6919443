"""Precision against copies found, for every attacked model."""

import pandas as pd

from verbatim.figures.precision import plot_precision
from verbatim.figures.style import save_figure
from verbatim.runtime import script


def main(smk):
    with script(smk):
        figure = plot_precision(pd.read_csv(smk.input.table), smk.params.names)
        save_figure(figure, smk.output.png, smk.output.pdf, smk.params.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
