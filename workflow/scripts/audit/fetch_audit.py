"""Ask a closed system behind HTTP for the generations of an audit's captions, one image at a time."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.image_store import write_archive_table
from verbatim.io.images import decode_image, generation_name, to_uint8, write_archive
from verbatim.io.missing import check_missing
from verbatim.io.records import read_table, write_table
from verbatim.models.asking import describe_plan, full_asks, open_asker
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, began = smk.params, time.monotonic()
        prompts = read_table(smk.input.prompts, "selection", ["prompt_id", "caption"])
        missing: Counter[str] = Counter()
        with open_asker(p.endpoint, p.answers, os.environ) as asker:
            asks = full_asks(asker.endpoint, prompts, range(p.generations))
            plan = asker.plan(asks)
            for line in describe_plan(asker.endpoint, plan):
                log.info(line)
            asker.check_plan(plan)

            def images() -> Iterator[tuple[str, np.ndarray | str]]:
                for ask, answer, data in progress(asker.ask_all(asks), "images", len(asks)):
                    name = generation_name(ask.prompt_id, ask.seed)
                    if answer.status == "ok":
                        yield name, to_uint8(decode_image(data))
                    else:
                        reason = f"{answer.status}: {answer.reason}"
                        missing[reason] += 1
                        yield name, reason

            write_archive(smk.output.archive, images())
        check_missing(
            missing, len(asks), p.most_missing, "generations that the audit asked for",
            "What was paid for is kept and not asked for again; look at the description of the endpoint",
        )  # fmt: skip
        archive = Path(smk.output.archive)
        write_archive_table(smk.output.images, [(key, archive) for key in prompts["prompt_id"]])
        cost = {
            "stage": "audit", "model": p.model["model"], "prompts": len(prompts), "unet_rows": 0,
            "seconds": time.monotonic() - began, "preset": "generations",
        }  # fmt: skip
        write_table(smk.output.cost, "costs", pd.DataFrame([cost]))
        log.info("%d images, %d missing", len(asks), sum(missing.values()))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
