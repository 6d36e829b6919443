"""Read a folder of images with its captions; say what can be tested, what it is asked for, and what that costs."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.audit.audit_costs import describe_plan, plan_prompts, read_captions
from verbatim.audit.image_folders import AuditInputError, read_folder
from verbatim.audit.screening import (
    ScreenSettings,
    find_duplicates,
    screen_images,
    small_square,
)
from verbatim.io.images import row_name, write_archive
from verbatim.io.records import SCHEMAS, write_table
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        folder = smk.input.get("sample") or p.folder
        entries = read_folder(folder, smk.input.get("captions") or "")
        settings = ScreenSettings(
            p.least_side, p.stored_side, p.size, p.thresholds["mv"], GuardSettings(**p.guards)
        )
        rows: list[dict[str, Any]] = []
        small: dict[int, np.ndarray] = {}

        def members() -> Iterator[tuple[str, np.ndarray | str]]:
            screened = screen_images(entries, settings)
            for row, image in progress(screened, "images", len(entries)):
                rows.append(row)
                if row["status"] == "ok" and not isinstance(image, str):
                    small[row["image"]] = small_square(image)
                yield row_name(row["image"]), image

        write_archive(smk.output.archive, members())
        table = pd.DataFrame(rows, columns=[n for n in SCHEMAS["audit_images"].names])
        good = np.array(sorted(small), dtype=int)
        if not len(good):
            reasons = "; ".join(dict.fromkeys(table["reason"].head(5)))
            raise AuditInputError(
                f"{folder}: none of its {len(table):,} images can be tested: {reasons}"
            )
        digests = table.loc[good, "sha256"].tolist()
        first = good[find_duplicates(np.stack([small[i] for i in good]), digests, p.duplicate)]
        table.loc[good, "duplicate_of"] = np.where(first == good, -1, first)
        prompts = plan_prompts(table, read_captions(smk.input.reference), p.least_prompts)
        write_table(smk.output.images, "audit_images", table)
        write_table(smk.output.prompts, "selection", prompts)
        for reason, count in table.loc[table["reason"].ne(""), "reason"].value_counts().items():
            log.warning("%d images are not tested: %s", count, reason)
        log.info(
            "%d images, %d of them show what another one does",
            len(table),
            table["duplicate_of"].ge(0).sum(),
        )
        log.info("%s", describe_plan(prompts, p.generations, p.rows_a_generation, p.seeds))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
