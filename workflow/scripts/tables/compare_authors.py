"""Rule compare_authors: every model's labels against the authors' labels of it."""

from typing import Any

import pandas as pd

from verbatim.io.authors import read_labels
from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.agreement import compare_authors
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p, parts = smk.params, []
        for model, ours, theirs in zip(p.models, smk.input.labels, smk.input.authors, strict=True):
            labels, authors = read_table(ours, "labels"), read_labels(theirs)
            part = compare_authors(labels, authors, p.resamples, p.confidence, p.seed)
            part.insert(0, "model", model)
            n = int(part.loc[part["measure"] == "kappa", "n"].iloc[0])
            log.info("%s: %d prompts of %s compared", model, n, theirs)
            if not n:
                log.warning(
                    "%s: no prompt that both judged; to judge theirs, give the sheet a row with the "
                    "candidates 'authors'", model,
                )  # fmt: skip
            parts.append(part)
        write_text(smk.output.table, csv_text(pd.concat(parts)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
