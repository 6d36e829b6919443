"""Rule compare_pairs: one shard's pairs and their images -> which of them differ in one region only."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from verbatim.dedup.regions import RegionSettings, compare_pairs, square_reader
from verbatim.io.missing import check_missing, kind_of_reason
from verbatim.io.records import TableWriter, iter_table, read_manifest, read_table
from verbatim.io.training_images import TrainingImages
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        manifest = read_manifest(smk.input.manifest)
        settings = RegionSettings(**p.settings)
        checked = templates = total = 0
        missing: Counter[str] = Counter()
        asked = 0
        with (
            TableWriter(smk.output.templates, "templates") as out,
            TrainingImages(keep_open=16) as images,
        ):
            for pairs in progress(iter_table(smk.input.pairs, "pairs"), "blocks of pairs"):
                wanted = np.unique(pairs[["row_a", "row_b"]].to_numpy())
                at = np.searchsorted(manifest["first_row"], wanted, side="right") - 1
                columns = ["row", "archive", "member"]
                rows = [
                    read_table(
                        f"{p.rows}/{manifest['shard'][i]}.parquet", "rows", columns,
                        [("row", "in", wanted[at == i])],
                    )
                    for i in np.unique(at)
                ] or [pd.DataFrame({name: [] for name in columns})]  # fmt: skip
                read = square_reader(images.read, pd.concat(rows), settings.size, p.keep)
                lost: dict[int, str] = {}

                def square(row: int, read: Any = read, lost: dict[int, str] = lost) -> Any:
                    image, why = read(row)
                    if image is None:
                        lost[row] = why
                    return image, why

                table = compare_pairs(pairs, square, settings)
                out.write(table)
                total += len(table)
                checked += int((table["status"] == "ok").sum())
                asked += len(wanted)
                missing.update(kind_of_reason(why) for why in lost.values())
                templates += int(table["template"].sum())
        check_missing(missing, asked, p.most_missing, "images of near-duplicate rows")
        log.info("%d pairs, %d checked, %d templates", total, checked, templates)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
