"""How well each copy detector tells copies from other images, on pairs that no training has seen."""

from typing import Any

from verbatim.io.records import read_table
from verbatim.metrics.intervals import Draws
from verbatim.runtime import script, write_text
from verbatim.tables.separation import compare_descriptors
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    p = smk.params
    with script(smk):
        pairs = read_table(smk.input.pairs, "pair_similarities")
        table = compare_descriptors(pairs, p.thresholds, Draws(p.resamples, p.confidence, p.seed))
        write_text(smk.output.table, csv_text(table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
