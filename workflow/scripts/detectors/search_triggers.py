"""Search prompts that change a model's first prediction much, by one method, among the words of its own tokenizer."""

import time
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.records import write_table
from verbatim.io.result_cache import Kept, fingerprint
from verbatim.runtime import load_model, model_files, progress, script

STAGE = "triggers_search"


def main(smk: Any) -> None:
    with script(smk) as log:
        from verbatim.detectors.trigger_energy import FirstStepEnergy
        from verbatim.detectors.trigger_search import METHODS, SearchSettings, count_chains
        from verbatim.detectors.trigger_words import list_words

        p, method = smk.params, smk.wildcards.method
        denoiser, settings = load_model(smk), SearchSettings(**p.search)
        words = list_words(denoiser.tokenizer, p.letters)  # type: ignore[attr-defined]  # of CLIP
        chains, tried = count_chains(method, words, settings)
        # a chain is kept by its number; how many there are decides nothing of one
        of_chain = {name: value for name, value in p.search.items() if name != "chains"}
        kept = Kept(
            p.kept, pd.DataFrame({"prompt_id": np.arange(chains)}), model=p.model, method=method,
            search=of_chain, letters=p.letters, files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(max(1, p.rows_a_part // tried))
        log.info(
            "%d words; %d chains of %d prompts, %d parts to do",
            len(words),
            chains,
            tried,
            len(lots),
        )
        energy = FirstStepEnergy(denoiser, p.batch)
        for lot in progress(lots, "parts"):
            start, before = time.monotonic(), denoiser.rows
            found = METHODS[method](energy, words, lot["prompt_id"].tolist(), settings)
            table = pd.DataFrame(found, columns=["prompt_id", "prompt", "energy", "step"])
            spent = {STAGE: (denoiser.rows - before, time.monotonic() - start)}
            kept.write(lot, spent, {"trigger_chains": table.astype({"step": np.int32})})
        if energy.broken:
            log.warning("%d of %d prompts have no finite energy", energy.broken, energy.tried)
        write_table(smk.output.chains, "trigger_chains", kept.table("trigger_chains"))
        cost = kept.cost(STAGE, smk.wildcards.model, method)
        write_table(smk.output.cost, "costs", cost.assign(prompts=chains * tried))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
