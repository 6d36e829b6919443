"""Findings of this run, of the world trained anew, and of worlds of other seeds, side by side."""

from typing import Any

from verbatim.io.spreadsheets import read_csv
from verbatim.runtime import script, write_text
from verbatim.tables.findings_runs import compare_findings
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        seeds = [read_csv(path) for path in smk.input.seeds]
        table = compare_findings(read_csv(smk.input.this), read_csv(smk.input.anew), seeds)
        write_text(smk.output.table, csv_text(table))
        log.info("%d findings, %d other seeds", len(table), len(seeds))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
