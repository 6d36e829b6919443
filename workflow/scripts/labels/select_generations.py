"""Select the prompts of a closed system that are labelled: its manifest's, or those that a ranking has."""

from typing import Any

import pandas as pd

from verbatim.io.authors import find_rows
from verbatim.io.records import read_table, write_table
from verbatim.labels.candidates import found_copies, top_ranked
from verbatim.labels.closed_system import captions_without_row, select_prompts
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = read_table(smk.input.prompts, "prompts")
        reasons = {}
        if path := smk.input.get("ecs"):
            ranks = read_table(path, "blackbox", ["prompt_id", "rank"])
            extra = prompts.loc[prompts["extra"], "prompt_id"]
            reasons[p.candidates] = top_ranked(ranks, extra, p.n_prompts)
        for model, path in zip(p.found_in, smk.input.get("labels", []), strict=True):
            labels = read_table(path, "labels", ["prompt_id", "label"])
            reasons[f"found:{model}"] = found_copies(labels)
        generations = read_table(smk.input.generations, "generations")
        if paths := smk.input.get("rows"):
            # else a copy of a prompt's own image could only be retrieved, and be called RV
            listed = captions_without_row(generations, prompts)
            usable, columns = [("status", "==", "ok")], ["row", "url", "caption"]
            shards = (read_table(file, "rows", columns, usable) for file in paths)
            found = find_rows(listed, progress(shards, "shards of rows", len(paths)))
            log.info(
                "%d captions are no prompts of dedup's, %d of them in the data",
                len(listed),
                found["row"].ge(0).sum(),
            )
            prompts = pd.concat([listed.assign(row=found["row"]), prompts], join="inner")
        table = select_prompts(generations, prompts, reasons)
        write_table(smk.output.selection, "selection", table)
        log.info(
            "%d of %d prompts of the manifest by %r, %d with a training row", len(table),
            generations.loc[generations["prompt_id"].ge(0), "prompt_id"].nunique(), p.candidates,
            table["row"].ge(0).sum(),
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
