"""Ask a closed system behind HTTP for the generations of its candidates, one a seed; an image and a line each."""

import os
from pathlib import Path
from typing import Any

from verbatim.io.missing import check_missing
from verbatim.io.records import read_table
from verbatim.labels.asked_images import AskedImages
from verbatim.models.asking import describe_plan, full_asks, open_asker
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection", ["prompt_id", "caption"])
        folder = Path(smk.output.manifest).parent
        with open_asker(p.endpoint, p.answers, os.environ) as asker, AskedImages(folder) as images:
            asks = full_asks(asker.endpoint, selection, p.seeds)
            plan = asker.plan(asks)
            for line in describe_plan(asker.endpoint, plan):
                log.info(line)
            asker.check_plan(plan)
            given = "seed" in asker.endpoint.takes
            for ask, answer, data in progress(asker.ask_all(asks), "images", len(asks)):
                images.add(ask, answer, data, given)
            log.info("answers: %s", images.counts)
            check_missing(
                images.reasons, len(asks), p.most_missing,
                f"generations of {smk.wildcards.model}",
                "What was paid for is kept and not asked for again; look at the description of the endpoint",
            )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
