"""Score the captions of an audit with the model's first step: DCS and its kin, a line a caption and seed."""

from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint
from verbatim.models.denoiser import check_broken
from verbatim.models.stacks import Meter
from verbatim.runtime import load_model, model_files, progress, script
from verbatim.whitebox.dcs import score_captions


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = read_table(smk.input.prompts, "selection")
        prompts = prompts[~prompts["extra"]]
        kept = Kept(
            p.kept, prompts, scores=True, model=p.model, guidance=p.guidance, seeds=list(p.seeds),
            files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        log.info("%d captions, %d to do", len(prompts), sum(map(len, lots)))
        denoiser: Any = load_model(smk) if lots else None  # asked for only where there is a lot
        for lot in lots:
            meter, tables = Meter(denoiser), []
            ids = lot["prompt_id"].to_numpy()
            found = score_captions(denoiser, lot["caption"].tolist(), p.seeds, p.guidance, p.batch)
            batches = -(-len(lot) // p.batch) * len(p.seeds)
            for begin, seed, scores in progress(found, "batches", batches):
                of = ids[begin : begin + len(scores["dcs_paper"])]
                tables.append(pd.DataFrame({"prompt_id": of, "seed": np.int32(seed), **scores}))
            kept.write(lot, meter.spent("audit"), {"whitebox_seeds": pd.concat(tables)})
        table = kept.table("whitebox_seeds")
        broken = table.loc[table["dcs_reference"].isna(), "prompt_id"].nunique()
        check_broken(broken, len(prompts), p.model.get("dtype") or "float32")
        write_table(smk.output.scores, "whitebox_seeds", table)
        write_table(smk.output.cost, "costs", kept.cost("audit", p.model["model"], "scores"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
