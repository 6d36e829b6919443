"""The verdicts of an audit to hand on: a page, tables, and JSON for a program."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verbatim.audit.audit_panels import Panels
from verbatim.audit.audit_report import (
    cards,
    public_table,
    rates,
    render_page,
    summarize,
    to_json,
)
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_table, read_tables
from verbatim.io.spreadsheets import csv_text
from verbatim.metrics.word_weights import weigh_words
from verbatim.runtime import code_state, script, weights_digest, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        images, pairs, verdicts, owners = (
            read_table(smk.input.get(name), f"audit_{name}")
            for name in ("images", "pairs", "verdicts", "owners")
        )
        prompts = read_table(smk.input.prompts, "selection")
        scored = [smk.input.scores_cost] if smk.input.scores_cost else []
        cost = read_tables([*scored, *smk.input.costs], "costs")
        privacy = read_privacy(p.privacy, p.only, [smk.input.images])
        captions = dict(zip(prompts["prompt_id"], prompts["caption"], strict=True))
        table = public_table(images, verdicts, captions, privacy)
        tokens = smk.input.tokens
        words = weigh_words(read_table(tokens, "detector_tokens")) if tokens else {}
        settings = {
            name: p.get(name)
            for name in ("generations", "thresholds", "part", "alpha", "most_p", "confidence", "size",
                         "sampler", "steps", "guidance", "seeded")
        }  # fmt: skip
        told: dict[str, Any] = {
            "date": datetime.now(UTC).date().isoformat(), "model": dict(p.model),
            "weights": weights_digest(smk), "settings": settings, "closed": p.model["family"] == "api",
            "code": code_state([], p.home) | {"modules": {}},
            "cost": {"network_rows": int(cost["unet_rows"].sum()), "minutes": cost["seconds"].sum() / 60},
            "summary": summarize(table, p.confidence),
        }  # fmt: skip
        hidden = ["image", "prompt_id", "shown_image", "shown_prompt"]
        plain = table.drop(columns=hidden)
        with ImageArchive(smk.input.archive) as archive, Images(*smk.input.generations) as made:
            panels = Panels(archive, made, pairs, privacy, p.size, p.mask)
            page = render_page(
                Path(smk.input.page).read_text("utf-8"), told=told, owners=owners.to_dict("records"),
                lines=rates(told["summary"]), table=table.to_dict("records"),
                cards=cards(table, p.shown, p.confidence, panels, words), privacy=privacy,
            )  # fmt: skip
        write_text(smk.output.page, page)
        write_text(smk.output.verdicts, csv_text(plain))
        write_text(smk.output.owners, csv_text(owners))
        told |= {"owners": owners.to_dict("records"), "verdicts": plain.to_dict("records")}
        write_text(smk.output.json, json.dumps(to_json(told), indent=1, ensure_ascii=False) + "\n")
        log.info("%s; %.1f MB", " ".join(rates(told["summary"])), len(page) / 1e6)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
