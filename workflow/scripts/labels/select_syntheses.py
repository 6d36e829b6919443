"""Select the prompts of a closed system that are labelled: its manifest's, or those that a ranking has."""

from verbatim.labels.candidates import found_copies, top_ranked
from verbatim.labels.syntheses import select_prompts
from verbatim.records import read_table, write_table
from verbatim.runtime import script


def main(smk):
    with script(smk) as log:
        p = smk.params
        prompts = read_table(smk.input.prompts, "prompts")
        reasons = {}
        if path := smk.input.get("ecs"):
            ranks = read_table(path, "blackbox", ["prompt_id", "rank"])
            extra = prompts.loc[prompts["extra"], "prompt_id"]
            reasons[p.candidates] = top_ranked(ranks, extra, p.n_prompts)
        for model, path in zip(p.found_in, smk.input.get("labels", []), strict=True):
            labels = read_table(path, "labels", ["prompt_id", "label"])
            reasons[f"found:{model}"] = found_copies(labels)
        syntheses = read_table(smk.input.syntheses, "syntheses")
        table = select_prompts(syntheses, prompts, reasons)
        write_table(smk.output.selection, "selection", table)
        log.info(
            "%d of %d prompts of the manifest by %r, %d with a training row", len(table),
            syntheses.loc[syntheses["prompt_id"].ge(0), "prompt_id"].nunique(), p.candidates,
            table["row"].ge(0).sum(),
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
