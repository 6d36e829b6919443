"""Which words trigger each copy of a model: the gradient at every token of the prompts that are labelled one."""

from typing import Any

import pandas as pd

from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.runtime import load_model, progress, script

COPIES = ("MV", "RV", "TV")


def main(smk: Any) -> None:
    with script(smk) as log:
        from verbatim.detectors.token_attribution import attribute_tokens, has_tokens

        p, family = smk.params, smk.params.model["family"]
        labels = read_table(smk.input.labels, "labels", ["prompt_id", "caption", "label"])
        prompts = labels[labels["label"].isin(COPIES)].reset_index(drop=True)
        if not has_tokens(family):
            log.warning("tokens are attributed for the families sd and sdxl, not for %s", family)
            prompts = prompts.iloc[:0]
        tables: list[pd.DataFrame] = []
        if len(prompts):
            found = attribute_tokens(
                load_model(smk), prompts["caption"].tolist(), p.seeds, p.steps, p.gradient_batch
            )
            tables = [
                pd.DataFrame(
                    {"prompt_id": prompts["prompt_id"][one.number], "position": range(len(one.tokens)),
                     "token": one.tokens, "word_position": [place for place, _ in one.words],
                     "word": [text for _, text in one.words], "gradient": one.gradients}
                )
                for one in progress(found, "prompts", len(prompts))
            ]  # fmt: skip
        none = SCHEMAS["detector_tokens"].empty_table().to_pandas()
        table = pd.concat(tables, ignore_index=True) if tables else none
        write_table(smk.output.tokens, "detector_tokens", table)
        log.info("%d prompts that are labelled a copy", len(prompts))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
