"""Rows that are left once equal images stand once: near-duplicates stay, as where files are compared by a hash."""

from typing import Any

import pandas as pd

from verbatim.io.images import to_uint8
from verbatim.io.records import read_table, write_table
from verbatim.io.training_images import read_rows
from verbatim.runtime import script
from verbatim.world.distinct import first_of_equal


def main(smk: Any) -> None:
    with script(smk) as log:
        rows = pd.concat([read_table(path, "rows") for path in smk.input.rows])
        rows, images = read_rows(rows[rows.status == "ok"])
        kept = rows.loc[first_of_equal(to_uint8(images)), ["row"]].sort_values("row")
        write_table(smk.output.kept, "kept_rows", kept)
        log.info("%d of %d rows have an image that no earlier row has", len(kept), len(rows))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
