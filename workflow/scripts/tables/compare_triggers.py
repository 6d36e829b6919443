"""Put the searches for triggers beside random words and the known captions: rows spent, images found."""

from itertools import product
from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import script, write_text
from verbatim.tables.text import csv_text
from verbatim.tables.triggers import count_found, known_sources


def main(smk: Any) -> None:
    with script(smk) as log:
        p, truth = smk.params, read_table(smk.input.truth, "truth")
        known, found = {}, {}
        for model, of_captions, triggered in zip(
            p.models, smk.input.known, smk.input.found, strict=True
        ):
            known[model] = known_sources(read_table(of_captions, "labels"), truth)
            found[model] = read_table(triggered, "trigger_labels")
        records = []
        jobs = product(p.models, p.methods)
        files = zip(smk.input.prompts, smk.input.searches, smk.input.costs, strict=True)
        for (model, method), (prompts, search, cost) in zip(jobs, files, strict=True):
            searched, generated = read_table(search, "costs"), read_table(cost, "costs")
            mine = found[model][found[model]["method"].eq(method)]
            records.append(
                {"model": model, "method": method, "tried": int(searched["prompts"].sum()),
                 "search_rows": int(searched["unet_rows"].sum()), "prompts": len(read_table(prompts, "trigger_prompts")),
                 "generation_rows": int(generated["unet_rows"].sum())}
                | count_found(mine, truth, known[model], p.confidence)
            )  # fmt: skip
        table = pd.DataFrame(records)
        write_text(smk.output.table, csv_text(table))
        log.info("\n%s", table.round(3).to_string())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
