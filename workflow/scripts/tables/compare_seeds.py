"""The tables of several worlds side by side: mean, range and interval over their seeds."""

from typing import Any

from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script, write_text
from verbatim.tables.seeds import LINES, compare_seeds
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk):
        runs = {
            name: {
                str(seed): read_csv(path)
                for seed, path in zip(smk.params.seeds, smk.input.get(name), strict=True)
            }
            for name in LINES
        }
        write_text(smk.output.table, csv_text(compare_seeds(runs, smk.params.confidence)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
