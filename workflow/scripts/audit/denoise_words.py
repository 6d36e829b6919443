"""Which words of its caption trigger each image that was given back: the gradient at every token."""

from functools import partial
from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.runtime import load_model, progress, script

BACK = ("given_back", "in_part")


def main(smk: Any) -> None:
    with script(smk) as log:
        from verbatim.detectors.token_attribution import attribute_prompts, has_tokens

        p, family = smk.params, smk.params.model["family"]
        verdicts = read_table(smk.input.verdicts, "audit_verdicts")
        back = set(verdicts.loc[verdicts["verdict"].isin(BACK), "prompt_id"])
        prompts = read_table(smk.input.prompts, "selection", ["prompt_id", "caption"])
        prompts = prompts[prompts["prompt_id"].isin(back)]
        if not has_tokens(family):
            log.warning("words are weighed for the families sd and sdxl, not for %s", family)
            prompts = prompts.iloc[:0]
        table = attribute_prompts(
            partial(load_model, smk), prompts, p.seeds, (p.steps, p.gradient_batch),
            partial(progress, what="captions", total=len(prompts)),
        )  # fmt: skip
        write_table(smk.output.tokens, "detector_tokens", table)
        log.info("words of %d captions whose images were given back", len(prompts))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
