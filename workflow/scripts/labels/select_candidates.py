"""Select the prompts that are generated and labelled, by what the models sheet says of candidates."""

from collections.abc import Collection
from typing import Any

from verbatim.io.authors import find_rows, listed_captions, prompt_ids, read_labels
from verbatim.io.records import read_table, write_table
from verbatim.labels.candidates import (
    CandidateError,
    add_listed,
    found_copies,
    select_candidates,
    top_ranked,
)
from verbatim.metrics.ranking import RANKINGS
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        columns = ["prompt_id", "caption", "row", "extra"]
        prompts = read_table(smk.input.prompts, "prompts", columns)
        extra = prompts.loc[prompts["extra"], "prompt_id"]
        own = p.candidates == "own"
        reasons: dict[str, Collection[int]] = {}
        for word, kind in RANKINGS.items():
            if path := smk.input.get(word):
                ranks = read_table(path, kind, ["prompt_id", "rank"])
                reasons[word if own else p.candidates] = top_ranked(ranks, extra, p.n_prompts)
        for model, path in zip(p.found_in, smk.input.get("labels", []), strict=True):
            labels = read_table(path, "labels", ["prompt_id", "label"])
            reasons[f"found:{model}"] = found_copies(labels)
        if path := smk.input.get("authors"):
            listed = listed_captions(read_labels(path))
            usable, columns = [("status", "==", "ok")], ["row", "url", "caption"]
            shards = (read_table(file, "rows", columns, usable) for file in smk.input.rows)
            found = find_rows(listed, progress(shards, "shards of rows", len(smk.input.rows)))
            log.info("the authors' prompts, found by %s", found["how"].value_counts().to_dict())
            listed = listed.assign(prompt_id=prompt_ids(listed["caption"]), row=found["row"])
            prompts, reasons["authors"] = add_listed(prompts, listed), listed["prompt_id"].tolist()
        if path := smk.input.get("same"):
            table = read_table(path, "selection").assign(why=p.candidates)
        else:
            table = select_candidates(prompts, reasons)
        if own and table.empty:
            raise CandidateError(
                f"models sheet, {smk.wildcards.model}: candidates is own, but no prompt is left to "
                f"label; raise labels.n_prompts (now {p.n_prompts}) or dedup.n_prompts"
            )
        write_table(smk.output.selection, "selection", table)
        counts = ", ".join(f"{word} {len(ids)}" for word, ids in reasons.items())
        log.info("%d prompts (%s, extra %d)", len(table), counts, len(extra))
        if table.empty:
            log.info(
                "no prompt to label by %r: every table of this model will be empty", p.candidates
            )


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
