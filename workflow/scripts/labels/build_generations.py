"""Read the images of a closed system, by its manifest, into the archive that generations lie in."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.images import ImageError, generation_name, to_uint8, write_archive
from verbatim.io.missing import check_missing
from verbatim.io.records import write_table
from verbatim.labels.closed_system import (
    GenerationsError,
    finish,
    plan_images,
    read_image,
    read_manifest,
)
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        start = time.monotonic()
        folder = Path(smk.input.manifest).parent
        manifest = read_manifest(smk.input.manifest, smk.params.may_be_empty)
        planned, stated = plan_images(manifest), manifest["reason"]
        todo = planned[planned["status"].eq("")]
        states: dict[int, tuple[str, str]] = {}

        def images() -> Iterator[tuple[str, np.ndarray]]:
            rows = todo[["prompt_id", "seed", "file"]].itertuples(name=None)
            for index, prompt_id, seed, file in progress(rows, "images", len(todo)):
                try:
                    image = read_image(folder, file)
                except FileNotFoundError as err:
                    states[index] = ("missing", stated[index] or str(err))
                except GenerationsError as err:
                    states[index] = ("refused", str(err))
                except (ImageError, OSError) as err:
                    states[index] = ("broken", str(err))
                else:
                    states[index] = ("ok", "")
                    yield generation_name(prompt_id, seed), to_uint8(image)

        write_archive(smk.output.images, images())
        table = finish(planned, states)
        unusable = table[~table["status"].isin(["ok", "duplicate"])]
        check_missing(
            unusable["reason"].value_counts().to_dict(), int(table["status"].ne("duplicate").sum()),
            smk.params.most_missing, f"images that {smk.input.manifest} lists",
            "Look whether its names are those of the files beside it",
        )  # fmt: skip
        cost = {
            "stage": "labels", "model": smk.wildcards.model, "unet_rows": 0, "preset": "all",
            "prompts": table.loc[table["prompt_id"].ge(0), "prompt_id"].nunique(),
            "seconds": time.monotonic() - start,
        }  # fmt: skip
        write_table(smk.output.generations, "generations", table)
        write_table(smk.output.cost, "costs", pd.DataFrame([cost]))
        log.info(
            "%d rows of the manifest: %s", len(table), table["status"].value_counts().to_dict()
        )
        unread = table[table["status"].ne("ok")].head(20)
        for index, row in zip(unread.index.tolist(), unread.to_dict("records"), strict=True):
            log.info("row %d, %r: %s", index + 1, row["file"], row["reason"])


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
