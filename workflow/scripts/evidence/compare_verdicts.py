"""How many labels a look confirms, by model and label."""

from typing import Any

from verbatim.evidence.contact_sheet import compare_verdicts, read_verdicts
from verbatim.io.records import read_table
from verbatim.io.spreadsheets import csv_text
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        labels = {
            model: read_table(path, "labels")
            for model, path in zip(p.models, smk.input.labels, strict=True)
        }
        verdicts = read_verdicts(smk.input.verdicts, p.known)
        table = compare_verdicts(labels, verdicts, p.confidence)
        write_text(smk.output.table, csv_text(table))
        log.info("labels and verdicts\n%s", table.to_string(index=False))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
