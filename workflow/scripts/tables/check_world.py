"""Whether this run on the embedded world shows what the paper shows: one line for each finding, with its goal."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.findings import Run, list_findings
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        labels = {
            model: read_table(path, "labels")
            for model, path in zip(p.models, smk.input.labels, strict=True)
        }
        tables: dict[str, Any] = {
            name: pd.read_csv(smk.input.get(name), keep_default_na=False, na_values=[""])
            for name in ("evaluation", "kinds", "precision", "recall")
        }
        run = Run(
            labels=labels,
            truth=read_table(smk.input.truth, "truth"),
            prompts=read_table(smk.input.prompts, "prompts"),
            **tables,
            **p.roles,
        )
        findings = list_findings(run)
        for line in findings.to_dict("records"):
            log.info("%(holds)-12s %(model)-16s %(finding)s: %(value).4g of %(n)d (%(goal)s)", line)
        counts = findings["holds"].value_counts()
        log.info(
            "%d of %d findings hold; %d are not measured",
            counts.get("yes", 0), len(findings), counts.get("not measured", 0),
        )  # fmt: skip
        write_text(smk.output.table, csv_text(findings))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
