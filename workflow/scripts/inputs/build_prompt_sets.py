"""Rule build_prompt_sets: files of published prompt sets -> one table, with matched negatives."""

from typing import Any

from verbatim.inputs.prompt_sets import SetSettings, build_sets
from verbatim.io.records import write_table
from verbatim.runtime import script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        settings = SetSettings(
            p.min_caption_chars, p.max_caption_chars, p.most_missing, p.family, p.length, p.most_pool, p.seed
        )  # fmt: skip
        table = build_sets(p.sets, settings)
        for (name, side, source, status), some in table.groupby(
            ["set", "side", "source", "status"]
        ):
            log.info("%s: %d %s %s prompts: %s", name, len(some), source, side, status)
        write_table(smk.output.prompts, "prompt_sets", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
