"""Which words trigger each copy of a model: the gradient at every token of the prompts that are labelled one."""

from functools import partial
from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.runtime import load_model, progress, script

COPIES = ("MV", "RV", "TV")


def main(smk: Any) -> None:
    with script(smk) as log:
        from verbatim.detectors.token_attribution import attribute_prompts, has_tokens

        p, family = smk.params, smk.params.model["family"]
        labels = read_table(smk.input.labels, "labels", ["prompt_id", "caption", "label"])
        prompts = labels[labels["label"].isin(COPIES)]
        if not has_tokens(family):
            log.warning("tokens are attributed for the families sd and sdxl, not for %s", family)
            prompts = prompts.iloc[:0]
        table = attribute_prompts(
            partial(load_model, smk), prompts, p.seeds, (p.steps, p.gradient_batch),
            partial(progress, what="prompts", total=len(prompts)),
        )  # fmt: skip
        write_table(smk.output.tokens, "detector_tokens", table)
        log.info("%d prompts that are labelled a copy", len(prompts))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
