"""Table 1: count the labels of every selected model."""

from typing import Any

import numpy as np

from verbatim.config.decisions import of_model, read_decisions
from verbatim.io.records import find_rows, read_table
from verbatim.runtime import script, write_text
from verbatim.tables.table1 import count_labels
from verbatim.tables.text import csv_text


def main(smk: Any) -> None:
    with script(smk) as log:
        keys = [model["model"] for model in smk.params.models]
        labels = {
            key: read_table(path, "labels")
            for key, path in zip(keys, smk.input.labels, strict=True)
        }
        sources = np.array([row for table in labels.values() for row in table["source_row"]], int)
        clusters = find_rows(smk.input.clusters, "clusters", sources)
        path = smk.input.decisions
        decided = read_decisions(path, smk.params.known)
        decisions = {key: of_model(decided, key, labels[key]["prompt_id"], path) for key in keys}
        table = count_labels(smk.params.models, labels, clusters, decisions)
        write_text(smk.output.table, csv_text(table))
        log.info("Table 1\n%s", table.to_string(index=False))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
