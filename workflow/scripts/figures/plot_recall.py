"""Found of planted by number of copies and by kind, for every model."""

import pandas as pd

from verbatim.figures.recall import plot_recall
from verbatim.figures.style import save_figure
from verbatim.runtime import script


def main(smk):
    with script(smk):
        figure = plot_recall(pd.read_csv(smk.input.table), smk.params.names)
        save_figure(figure, smk.output.png, smk.output.pdf, smk.params.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
