"""How many candidates the verifier calls copies, by model and label, beside the labels and never in them."""

from typing import Any

from verbatim.evidence.counts import count_verified
from verbatim.io.records import read_table
from verbatim.io.spreadsheets import csv_text
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        files = zip(smk.params.names, smk.input.verification, strict=True)
        tables = {model: read_table(path, "verification") for model, path in files}
        table = count_verified(tables, smk.params.names, smk.params.alpha)
        write_text(smk.output.table, csv_text(table))
        log.info("verified copies\n%s", table.to_string(index=False))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
