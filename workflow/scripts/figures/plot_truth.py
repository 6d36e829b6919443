"""What was found of what was planted, and what the labels say of each kind."""

import pandas as pd

from verbatim.figures.confusion import plot_confusion
from verbatim.figures.recall import plot_recall
from verbatim.figures.style import save_figure
from verbatim.runtime import script


def main(smk):
    with script(smk):
        names = smk.params.names
        recall, confusion = (pd.read_csv(smk.input.get(k)) for k in ("recall", "confusion"))
        save_figure(plot_recall(recall, names), smk.output.recall, smk.params.dpi)
        save_figure(plot_confusion(confusion, names), smk.output.confusion, smk.params.dpi)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
