"""DCS of planted captions against captions with nothing to copy, for every attacked model."""

import pandas as pd

from verbatim.figures.histogram import plot_histogram
from verbatim.figures.style import save_figure
from verbatim.runtime import script


def main(smk):
    with script(smk):
        scores = pd.read_csv(smk.input.scores, keep_default_na=False, na_values=[""])
        evaluation = pd.read_csv(smk.input.evaluation)
        figure = plot_histogram(scores, evaluation, smk.params.column, smk.params.names)
        save_figure(figure, smk.output.png, smk.output.pdf, smk.params.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
