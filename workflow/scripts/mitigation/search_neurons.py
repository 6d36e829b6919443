"""Find the memorizing neurons of the memorized prompts that a defence may know (NeMo)."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table, write_table
from verbatim.mitigation.neurons import NeuronSearch
from verbatim.runtime import load_model, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, prompts = smk.params, read_table(smk.input.prompts, "mitigated")
        reference = prompts.loc[prompts["group"].eq("reference"), "caption"].tolist()
        known = prompts[prompts["group"].eq("memorized") & prompts["known"]]
        search = NeuronSearch(load_model(smk), range(1, 1 + p.seeds), reference)
        log.info("likeness above which a prompt counts as memorized: %.3f", search.reference.limit)
        lines = []
        for prompt in progress(known.to_dict("records"), "prompts"):
            found = search.search(prompt["caption"])
            lines += [
                (prompt["prompt_id"], layer, neuron)
                for layer, places in found.items()
                for neuron in places
            ]
        table = pd.DataFrame(lines, columns=["prompt_id", "layer", "neuron"])
        write_table(smk.output.neurons, "mitigation_neurons", table)
        union = table.drop_duplicates(["layer", "neuron"])
        log.info(
            "%d of %d prompts have memorizing neurons, %d in all; by layer %s",
            table["prompt_id"].nunique(), len(known), len(union), union["layer"].value_counts().to_dict(),
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
