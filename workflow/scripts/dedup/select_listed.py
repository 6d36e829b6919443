"""Rule select_listed: a list of captions -> the prompts, with the rows they have in the data."""

from typing import Any

import pandas as pd

from verbatim.dedup.listed import listed_prompts, read_prompt_list
from verbatim.dedup.prompts import read_extra_prompts
from verbatim.io.authors import find_rows
from verbatim.io.records import read_table, write_table
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        chars = (smk.params.min_caption_chars, smk.params.max_caption_chars)
        listed = read_prompt_list(smk.input.listed, smk.params.n_prompts, chars)
        log.info(
            "%s: %d prompts, %d repeated rows and %d captions that can be no prompt left out",
            smk.input.listed, len(listed.captions), listed.repeated, listed.unusable,
        )  # fmt: skip
        extra = [c for path in smk.input.extra for c in read_extra_prompts(path, chars)]
        beside = pd.DataFrame({"caption": extra, "url": ""}, dtype=object)
        wanted = pd.concat([listed.captions, beside]).drop_duplicates("caption", ignore_index=True)
        usable, columns = [("status", "==", "ok")], ["row", "url", "caption"]
        shards = (read_table(path, "rows", columns, usable) for path in smk.input.rows)
        found = find_rows(wanted, progress(shards, "shards of rows", len(smk.input.rows)))
        how = found["how"].value_counts().to_dict()
        log.info("found in the data by %s; %d not in it", how, (found["row"] < 0).sum())
        rows = found["row"].unique().tolist()
        clusters = read_table(smk.input.clusters, "clusters", filters=[("row", "in", rows)])
        of_rows = clusters["cluster"].unique().tolist() or [-1]
        stats = read_table(smk.input.stats, "cluster_stats", filters=[("cluster", "in", of_rows)])
        prompts = listed_prompts(wanted, found, len(listed.captions), clusters, stats)
        write_table(smk.output.prompts, "prompts", prompts)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
