"""Rule select_images: the prompts' own rows, the neighbours and their relatives -> the rows whose images are needed."""

from functools import partial
from typing import Any

import pandas as pd

from verbatim.dedup.relatives import choose_relatives
from verbatim.io.records import SCHEMAS, find_rows, read_table, write_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        own = read_table(smk.input.selection, "selection", ["row"])["row"]
        near = read_table(smk.input.neighbours, "neighbours", ["row"])["row"]
        asked = pd.concat([own, near])
        asked = asked[asked >= 0].unique()
        relatives = choose_relatives(
            asked,
            (read_table(path, "pairs") for path in smk.input.pairs),
            partial(find_rows, smk.input.clusters, "clusters"),
            partial(find_rows, smk.input.copies, "copies"),
            most=smk.params.relatives,
        )
        wanted = sorted({*asked.tolist(), *relatives["relative"].tolist()})
        columns, chosen = SCHEMAS["wanted"].names, [("row", "in", wanted)]
        where = [read_table(p, "rows", columns, chosen) for p in smk.input.rows]
        rows = pd.concat(where).sort_values("row")
        if len(rows) != len(wanted):
            absent = sorted(set(wanted) - set(rows["row"]))
            raise ValueError(
                f"rows {absent[:10]} are not in inputs/rows; run search_neighbours again"
            )
        log.info("%d rows, %d of them asked for by a generation", len(rows), len(asked))
        write_table(smk.output.wanted, "wanted", rows)
        write_table(smk.output.relatives, "relatives", relatives)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
