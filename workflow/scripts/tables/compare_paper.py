"""Our Table 1 beside the paper's."""

import pandas as pd

from verbatim.runtime import script, write_text
from verbatim.tables.table1 import compare_paper
from verbatim.tables.text import csv_text


def main(smk):
    with script(smk):
        table1 = pd.read_csv(smk.input.table1, keep_default_na=False)
        paper = pd.read_csv(smk.input.paper, sep="\t", keep_default_na=False)
        table = compare_paper(table1, smk.params.references, paper)
        write_text(smk.output.table, csv_text(table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
