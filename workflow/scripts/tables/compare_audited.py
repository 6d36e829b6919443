"""Verdicts of the audit of the world's sample against what was planted."""

from typing import Any

from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.text import csv_text
from verbatim.tables.verdict_counts import count_verdicts


def main(smk: Any) -> None:
    with script(smk):
        table = count_verdicts(
            read_table(smk.input.kinds, "audit_sample"),
            read_table(smk.input.images, "audit_images"),
            read_table(smk.input.verdicts, "audit_verdicts"),
            smk.params.confidence,
        )
        write_text(smk.output.table, csv_text(table))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
