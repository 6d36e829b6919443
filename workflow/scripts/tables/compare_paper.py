"""Our Table 1 beside the paper's."""

from typing import Any

from verbatim.io.spreadsheets import read_csv
from verbatim.io.user_tables import read_values
from verbatim.runtime import script, write_text
from verbatim.tables.table1 import PAPER, compare_paper
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk):
        table1 = read_csv(smk.input.table1, keep_default_na=False)
        paper = read_values(smk.input.paper, *PAPER)
        table = compare_paper(table1, smk.params.references, paper)
        write_text(smk.output.table, csv_text(table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
