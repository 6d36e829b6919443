"""Every row of Table 1 that was asked for over HTTP beside the row whose prompts it has: images and labels."""

from typing import Any

import pandas as pd

from verbatim.io.images import ImageArchive
from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.asked_rows import compare_images, compare_labels
from verbatim.tables.text import csv_text

COLUMNS = [
    "model", "direct", "prompts", "images", "alone", "equal", "largest", "other_label", "retrieved", "template", "exact",
    "retrieved_direct", "template_direct", "exact_direct",
]  # fmt: skip


def main(smk: Any) -> None:
    with script(smk) as log:
        files = zip(
            smk.params.pairs, smk.input.labels, smk.input.direct_labels, smk.input.images, smk.input.direct_images,
            strict=True,
        )  # fmt: skip
        rows = []
        for (model, of), *paths in files:
            asked, direct = (read_table(path, "labels") for path in paths[:2])
            row = {"model": model, "direct": of} | compare_labels(asked, direct)
            shared = set(asked["prompt_id"]) & set(direct["prompt_id"])
            with ImageArchive(paths[2]) as one, ImageArchive(paths[3]) as other:
                row |= compare_images(one, other, shared)
            rows.append(row)
            log.info("%s beside %s: %s", model, of, row)
        write_text(smk.output.table, csv_text(pd.DataFrame(rows, columns=COLUMNS)))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
