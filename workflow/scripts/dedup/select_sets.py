"""Rule select_sets: published prompt sets -> the prompts, without training data."""

from typing import Any

from verbatim.dedup.listed import unplaced_prompts
from verbatim.io.records import read_table, write_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        sets = read_table(smk.input.sets, "prompt_sets", ["caption", "status"])
        captions = sets.loc[sets["status"].eq("ok"), "caption"]
        prompts = unplaced_prompts(captions)
        log.info("%d prompts of %d in all sets", len(prompts), len(captions))
        write_table(smk.output.prompts, "prompts", prompts)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
