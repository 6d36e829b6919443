"""Ask a closed system behind HTTP for the one-step images of a shard of prompts, one a seed."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from verbatim.io.images import decode_image, generation_name, to_uint8
from verbatim.io.missing import check_missing
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, take_shard
from verbatim.models.asking import Asker, describe_plan, one_step_asks, open_asker
from verbatim.models.endpoint import Ask
from verbatim.runtime import progress, script


def draw(asker: Asker, asks: list[Ask]) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yield the images of a part one by one, or why there is none."""
    for ask, answer, data in asker.ask_all(asks):
        usable = answer.status == "ok"
        image = to_uint8(decode_image(data)) if usable else f"{answer.status}: {answer.reason}"
        yield generation_name(ask.prompt_id, ask.seed), image


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        prompts = take_shard(selection, smk.wildcards.shard, p.prompts_a_shard, p.last)
        with open_asker(p.endpoint, p.answers, os.environ) as asker:
            wanted = one_step_asks(asker.endpoint, prompts, p.seeds, p.guidances[0])
            kept = Kept(p.kept, prompts, requests=asker.settings(p.seeds, p.guidances[0]))
            plan = asker.plan(wanted)
            for line in describe_plan(asker.endpoint, plan):
                log.info(line)
            asker.check_plan(plan)
            start = time.monotonic()
            answers = [
                answer for _, answer, _ in progress(asker.ask_all(wanted), "images", plan.images)
            ]
            seconds = (time.monotonic() - start) / max(1, len(prompts))
            lacking = Counter(f"{a.status}: {a.reason}" for a in answers if a.status != "ok")
            what = f"one-step images of {smk.wildcards.model}"
            check_missing(lacking, len(wanted), p.most_missing, what)
            for lot in progress(kept.lots(p.prompts_a_part), "parts"):
                asks = one_step_asks(asker.endpoint, lot, p.seeds, p.guidances[0])
                kept.write(lot, {"blackbox": (0, seconds * len(lot))}, images=draw(asker, asks))
        kept.write_archives(smk.output.images)
        write_table(smk.output.cost, "costs", kept.cost("blackbox", smk.wildcards.model, "all"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
