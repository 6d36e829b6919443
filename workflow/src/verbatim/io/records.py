"""Column names and types of every table that one stage hands to another.

A table is a Parquet file with one of the schemas below. `write_table` and `read_table` both check it, so that the stage
with the fault fails and names the file and the column. `verbatim.io.contracts` explains each column.

Keys: `row` (int64) is the global row of a training image in LAION order, -1 where there is none;
`prompt_id` (int64) is the key of a caption, made by `prompt_id()` from the caption alone. Nothing
is joined by position, and no file is named by a caption.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from verbatim.io.keys import prompt_id as prompt_id
from verbatim.io.parquet import iter_parquet, new_parquet, open_parquet, read_parquet, write_parquet
from verbatim.io.seals import DamagedError, checked

I8, I32, I64, F32, F64 = pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64()
S, B = pa.string(), pa.bool_()
# column -> another name of it, which old files may have
OLD_COLUMNS = {"wen_first_step": "wen_norm", "guidance_cosine": "anisotropy"}


class RecordError(ValueError):
    """A table breaks its contract; the message names the file, the column and the cure."""


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


# What each column means is said in verbatim.io.contracts, one sentence for each column.
SCHEMAS: dict[str, pa.Schema] = {
    # world
    "images": _schema(image_id=I32, code=S, caption=S, group=S, family=S, n_words=I32),
    "truth": _schema(
        row=I64, image_id=I32, caption=S, kind=S, count=I32, copy=I32, distortion=S, group=S,
        family=S, match=I32,
    ),
    "extra_prompts": _schema(caption=S),
    "pair_similarities": _schema(descriptor=S, normalized=B, pair=S, number=I32, drawing=I32, similarity=F32),
    "training_log": _schema(step=I32, loss=F32, learning_rate=F32, seconds=F32),
    # inputs
    "rows": _schema(
        row=I64, url=S, caption=S, width=I32, height=I32, archive=S, member=S, status=S, reason=S
    ),
    "prompt_sets": _schema(
        set=S, side=S, source=S, prompt_id=I64, caption=S, match=I64, overlap=F64, images=S, type=S, file=S, place=I64,
        status=S, reason=S,
    ),
    # dedup
    "pairs": _schema(row_a=I64, row_b=I64, similarity=F32),
    "copies": _schema(row=I64, first=I64),
    "clusters": _schema(row=I64, cluster=I64),
    "cluster_stats": _schema(
        cluster=I64, size=I32, n_captions=I32, share_equal_captions=F32, caption=S, row=I64
    ),
    "cluster_sizes": _schema(row=I64, cluster=I64, size=I32),
    "histograms": _schema(
        size_low=I64, size_high=I64, share_low=F64, share_high=F64, clusters=I64, rows=I64
    ),
    "templates": _schema(
        row_a=I64, row_b=I64, similarity=F32, distance=F64, shared=F64, regions=I32, template=B,
        status=S, reason=S,
    ),
    "kept_rows": _schema(row=I64),
    "prompts": _schema(
        prompt_id=I64, caption=S, row=I64, cluster=I64, cluster_size=I32, caption_count=I32,
        share_equal_captions=F32, extra=B, rank=I32,
    ),
    # whitebox
    "whitebox_seeds": _schema(
        prompt_id=I64, seed=I32, dcs_reference=F64, dcs_paper=F64, wen_first_step=F64, guidance_cosine=F64
    ),
    "whitebox": _schema(
        prompt_id=I64, dcs=F64, dcs_reference=F64, dcs_paper=F64, wen_first_step=F64, guidance_cosine=F64,
        n_seeds=I32, preset=S, rank=I32,
    ),
    "selection": _schema(prompt_id=I64, caption=S, row=I64, extra=B, why=S),
    # blackbox
    "blackbox": _schema(
        prompt_id=I64, ecs=F64, ecs_reference=F64, ecs_paper=F64, ecs_world=F64,
        seed_consistency=F64, seed_ssim=F64, n_seeds=I32, preset=S, rank=I32,
    ),
    # detectors
    "detector_seeds": _schema(prompt_id=I64, seed=I32, score=S, value=F64),
    "detector_scores": _schema(
        prompt_id=I64, score=S, value=F64, n_seeds=I32, unet_rows=I64, derivatives=I64
    ),
    "detector_tokens": _schema(prompt_id=I64, position=I32, token=S, word_position=I32, word=S, gradient=F64),
    "trigger_chains": _schema(prompt_id=I64, prompt=S, energy=F64, step=I32),
    "trigger_prompts": _schema(prompt_id=I64, prompt=S, energy=F64, place=I32),
    "trigger_generations": _schema(prompt_id=I64, seed=I32, status=S, reason=S),
    "trigger_labels": _schema(
        method=S, prompt_id=I64, seed=I32, status=S, nearest=F64, nearest_row=I64, label=S, source_row=I64, distance=F64,
        distance_tv=F64, mask_area=F64, review=B, review_reason=S, cluster=I64,
    ),
    # postfilter
    "postfilter": _schema(
        prompt_id=I64, n_images=I32, clique_size=I32, clique_distance=F64, mean_distance=F64,
        kept=B, certain=B, unet_rows=I64, preset=S, rank=I32,
    ),
    # labels
    "generations": _schema(
        prompt_id=I64, caption=S, seed=I32, file=S, given_seed=I64, steps=I64, status=S, reason=S
    ),
    "neighbours": _schema(prompt_id=I64, seed=I32, order=I32, row=I64, similarity=F32),
    "copy_neighbours": _schema(prompt_id=I64, seed=I32, order=I32, row=I64, similarity=F32),
    "relatives": _schema(row=I64, relative=I64, similarity=F32, order=I32),
    "wanted": _schema(row=I64, url=S, caption=S, archive=S, member=S),
    "urls": _schema(row=I64, url=S, status=S, reason=S, sha256=S, size=I64, final_url=S),
    "fetched": _schema(row=I64, caption=S, member=S, status=S, reason=S),
    "labels": _schema(
        prompt_id=I64, caption=S, row=I64, extra=B, why=S, label=S, seed=I32, source_row=I64,
        distance=F64, distance_mv=F64, distance_rv=F64, distance_tv=F64, seed_mv=I32, row_mv=I64,
        crop_mv=S, seed_rv=I32, row_rv=I64, crop_rv=S, seed_tv=I32, row_tv=I64, crop_tv=S,
        partner_tv=I64, partner_crop_tv=S, mask_file=S, mask_area=F64,
        crop=S, review=B, review_reason=S, status=S, preset=S,
    ),
    # images and costs of several stages
    "archives": _schema(prompt_id=I64, archive=S),
    "spent": _schema(prompt_id=I64, stage=S, unet_rows=F64, seconds=F64),
    # evidence
    "verification": _schema(
        prompt_id=I64, extra=B, label=S, seed=I32, source_row=I64, image=I32, crop=S, flip=B, side=F64, top=F64,
        left=F64, area=F64, residual=F64, relative=F64, p_pair=F64, n_pairs=I64, p=F64, q=F64,
        n_null=I64, verified=B, doubt=S, status=S,
    ),
    "null": _schema(image=I32, residual=F64),
    "costs": _schema(stage=S, model=S, prompts=I64, unet_rows=I64, seconds=F64, preset=S),
    # world and audit
    "audit_sample": _schema(file=S, image_id=I32, kind=S, count=I32),
    "audit_images": _schema(
        image=I32, file=S, sha256=S, caption=S, prompt_id=I64, owner=S, control=B, url=S, width=I32, height=I32,
        duplicate_of=I32, status=S, reason=S,
    ),
    "audit_pairs": _schema(
        image=I32, prompt_id=I64, seed=I32, distance=F64, crop=S, doubt=S, masked=F64, masked_crop=S, partner=I32,
        partner_crop=S, mask_area=F64, masked_doubt=S, residual=F64, relative=F64, placed_crop=S, flip=B, side=F64,
        top=F64, left=F64, visible=F64, overlap=F64,
    ),
    "audit_null": _schema(image=I32, residual=F64),
    "audit_tests": _schema(image=I32, relative=F64, n_unrelated=I32, reason=S, n_null=I64, p=F64),
    "audit_verdicts": _schema(
        image=I32, verdict=S, how=S, reason=S, n=I32, n_back=I32, rate_low=F64, rate_high=F64, prompt_id=I64, seed=I32,
        distance=F64, p=F64, q=F64,
    ),
    "audit_owners": _schema(
        owner=S, images=I32, tested=I32, given_back=I32, in_part=I32, share=F64, low=F64, high=F64, controls=I32,
        statistic=F64, p=F64, q=F64, note=S,
    ),
    # guard
    "guard_alarms": _schema(
        prompt_id=I64, seed=I32, row=I64, part=S, score=F64, threshold=F64, alarm=B
    ),
    "guard_checks": _schema(
        prompt_id=I64, seed=I32, defence=S, label=S, source_row=I64, distance=F64, review_reason=S, copy=B, nearest=F64,
        residual=F64, clip_score=F64,
    ),
    "guard_outcomes": _schema(
        prompt_id=I64, seed=I32, group=S, unit=S, policy=S, defence=S, let_out=S, regenerated=B, withheld=B, copy=B,
        second=B, clip_score=F64, clip_change=F64,
    ),
    # study
    "sweep_pool": _schema(image_id=I32, caption=S, group=S, order=I32, planted=B, held_out=B),
    "sweep_rows": _schema(
        image_id=I32, caption=S, weight=F64, planted=B, member=B, n_captions=I32
    ),
    "sweep_state": _schema(
        point=S, seed=I32, status=S, reason=S, steps=I32, seconds=F64, loss=F64
    ),
    "mitigated": _schema(prompt_id=I64, caption=S, image_id=I32, group=S, known=B, searched=B),
    "mitigation_neurons": _schema(prompt_id=I64, layer=S, neuron=I32),
    "mitigation_embeddings": _schema(prompt_id=I64, start=S, tokens=I32, states=pa.list_(F32)),
    "mitigation_attacked": _schema(
        generation=I32, prompt_id=I64, seed=I32, attack=S, prompt=S, status=S, reason=S
    ),
    "mitigation_scores": _schema(prompt_id=I64, seed=I32, score=S, value=F64),
    "mitigation_spent": _schema(group=S, generations=I64, unet_rows=I64, with_gradient=I64),
    "mitigation_checks": _schema(
        defence=S, attack=S, prompt_id=I64, seed=I32, own=F64, nearest=F64, clip_score=F64
    ),
    "mitigation_quality": _schema(defence=S, n_frechet=I32, frechet=F64),
    "mitigation_generations": _schema(
        generation=I32, image_id=I32, caption=S, prompt=S, gen_seed=I64, planted=B, member=B, kind=S, size=I32
    ),
    "membership_scores": _schema(
        image_id=I32, caption=S, planted=B, member=B, dcs=F64, ecs=F64, clique_size=I32,
        clique_distance=F64,
    ),
    "similarity_matches": _schema(
        generation=I32, descriptor=S, similarity=F64, match=I32, split=F64, cross=F64, rmse=F64,
        own_rmse=F64,
    ),
    "run_measures": _schema(
        point=S, seed=I32, defence=S, measure=S, value=F64, n=I64, low=F64, high=F64, note=S
    ),
    "membership_lira": _schema(point=S, image_id=I32, member=B, loss=F64, lira=F64),
    "membership_inpainting": _schema(point=S, image_id=I32, member=B, error=F64),
    "membership_relative": _schema(point=S, seed=I32, generation=I32, nearest=I32, relative=F64),
    "similarity_clusters": _schema(
        point=S, seed=I32, cluster=I32, size=F64, images=I32, n_captions=I32, caption_similarity=F64,
        generations=I64, replication=F64, copies=I64,
    ),
    "similarity_users": _schema(
        generation=I32, prompt=S, gen_seed=I64, similarity=F64, match=I32, caption=S, rmse=F64,
        described=F64, describes=B,
    ),
}  # fmt: skip

# inputs/manifest.tsv: one row for each shard. Paths are "" where there is no file. footer_sha256 is of the footer of the
# metadata. Several tables of one shard are joined by "|"; metadata_row is the shard's first row in the first of them.
MANIFEST: dict[str, type] = {
    "shard": str, "embeddings": str, "metadata": str, "rows": int, "first_row": int, "dim": int,
    "archive": str, "footer_sha256": str, "metadata_row": int, "embeddings_digest": str,
}  # fmt: skip


def to_table(kind: str, data: pd.DataFrame | dict[str, Any], where: str = "table") -> pa.Table:
    """`data` as an Arrow table with exactly the columns and types of `SCHEMAS[kind]`, in order."""
    schema = SCHEMAS[kind]
    frame = pd.DataFrame(data)
    missing = [n for n in schema.names if n not in frame.columns]
    surplus = [n for n in frame.columns if n not in schema.names]
    if missing or surplus:
        raise RecordError(f"{where}: a {kind} table lacks {missing} and has unknown {surplus}")
    try:
        return pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as err:
        raise RecordError(f"{where}: a column of a {kind} table has the wrong type: {err}") from err


def write_table(path: str | os.PathLike, kind: str, data: pd.DataFrame | dict[str, Any]) -> None:
    """Write `data` as a `kind` table, whole or not at all; see `io.parquet`."""
    write_parquet(path, to_table(kind, data, str(path)))


class TableWriter:
    """Writes a `kind` table piece by piece, for one that need not fit in memory; whole or not at all."""

    def __init__(self, path: str | os.PathLike, kind: str):
        self.path, self.kind = Path(path), kind

    def __enter__(self) -> TableWriter:
        self._open = contextlib.ExitStack()
        self._add = self._open.enter_context(new_parquet(self.path, SCHEMAS[self.kind]))
        return self

    def write(self, data: pd.DataFrame | dict[str, Any]) -> None:
        self._add(to_table(self.kind, data, str(self.path)))

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)


def _check_columns(path: str | os.PathLike, kind: str) -> None:
    schema = SCHEMAS[kind]
    try:
        with open_parquet(path) as file:
            found = file.schema_arrow
    except FileNotFoundError as err:
        raise RecordError(f"{path}: no such file; run the rule that makes it") from err
    for field in schema:
        if field.name not in found.names:
            old = OLD_COLUMNS.get(field.name, "")
            hint = f"; its {old!r} is an earlier name of it: delete the file and run again"
            raise RecordError(
                f"{path}: a {kind} table must have a column {field.name!r}"
                + (hint if old and old in found.names else "")
            )
        if found.field(field.name).type != field.type:
            raise RecordError(
                f"{path}: column {field.name!r} is {found.field(field.name).type}, "
                f"a {kind} table has {field.type}"
            )


def read_table(
    path: str | os.PathLike,
    kind: str,
    columns: list[str] | None = None,
    filters: list[tuple[str, str, Any]] | None = None,
) -> pd.DataFrame:
    """Read a `kind` table, checked; `columns` reads only some of it, `filters` only some rows.

    filters: as pyarrow takes them, e.g. [("row", ">=", 0), ("row", "<", 1000)].

    Raises RecordError if the file is missing or breaks the contract, and DamagedError if its bytes were changed.
    """
    _check_columns(path, kind)
    return read_parquet(path, columns or SCHEMAS[kind].names, filters).to_pandas()


def count_rows(path: str | os.PathLike) -> int:
    """Number of rows of a table, as its footer says."""
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def iter_table(
    path: str | os.PathLike, kind: str, columns: list[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Read a `kind` table in pieces, a row group each; checked as `read_table` does."""
    _check_columns(path, kind)
    for piece in iter_parquet(path, columns or SCHEMAS[kind].names):
        yield piece.to_pandas()


def find_rows(path: str | os.PathLike, kind: str, rows: np.ndarray) -> pd.DataFrame:
    """The lines of a `kind` table for these rows; one row group is in memory at a time.

    rows : (n,) int64, keys of training images.
    """
    found = [piece[piece["row"].isin(rows)] for piece in iter_table(path, kind)]
    none = SCHEMAS[kind].empty_table().to_pandas()
    return pd.concat(found, ignore_index=True) if found else none


def find_urls(paths: Iterable[str | os.PathLike], rows: Iterable[int]) -> dict[int, str]:
    """Address of each of these training rows, from the `rows` tables of all shards."""
    chosen = [("row", "in", sorted(set(rows)))]
    tables = [read_table(path, "rows", ["row", "url"], chosen) for path in paths]
    return dict(pd.concat(tables).set_index("row")["url"].items()) if tables else {}  # type: ignore[arg-type]  # int keys


def rows_between(
    path: str | os.PathLike, kind: str, rows: np.ndarray, columns: list[str] | None = None
) -> pd.DataFrame:
    """The lines of a `kind` table from the lowest to the highest of `rows`, (n,) int64, such as those of a shard."""
    low, high = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
    between = [("row", ">=", low), ("row", "<=", high)]
    return read_table(path, kind, columns, between)


def read_tables(
    paths: Iterable[str | os.PathLike], kind: str, columns: list[str] | None = None
) -> pd.DataFrame:
    """Read several `kind` tables as one, in the order given; none gives a table without rows."""
    tables = [read_table(path, kind, columns) for path in paths]
    names = columns or SCHEMAS[kind].names
    empty = SCHEMAS[kind].empty_table().select(names).to_pandas()
    return pd.concat(tables, ignore_index=True) if tables else empty


def read_manifest(path: str | os.PathLike) -> pd.DataFrame:
    """Read inputs/manifest.tsv: which files hold which rows, in order of the global row.

    Raises RecordError if it is missing or lacks a column.
    """
    try:
        manifest = pd.read_csv(checked(path), sep="\t", dtype=str, keep_default_na=False)
        return manifest[list(MANIFEST)].astype(MANIFEST)
    except FileNotFoundError as err:
        raise RecordError(f"{path}: no such file; run the rule check_inputs") from err
    except DamagedError:
        raise
    except (KeyError, ValueError) as err:
        raise RecordError(f"{path}: {err}; delete it and run the rule check_inputs") from err
