"""Which files hold the training data of a run: embeddings, captions, images, and the CLIP that embeds them.

A rule's input is one of these functions or properties. Paths of results begin with `<results>`, which Snakemake
replaces by `results` of the config.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from verbatim.config.prompt_plan import shard_names
from verbatim.config.sources import clip_state

MOST_LISTED = 5000  # ASSUME: archives that a rule lists one by one; of more it watches the folder
# ASSUME: libraries, and a shard of captions, in MB, beside what dedup.memory_mb allows for rows
BESIDE_ROWS_MB = 2000


class Source(Protocol):
    """The files of a source, each kind in order of its shards; see `verbatim.inputs.layouts.Source`."""

    @property
    def shards(self) -> Sequence[str]: ...
    @property
    def embeddings(self) -> Sequence[str]: ...
    @property
    def metadata(self) -> Sequence[str]: ...
    @property
    def by_position(self) -> bool: ...
    @property
    def archives(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class WorldSource:
    """The files of the embedded world, which `embed_rows` lays out as clip-retrieval does.

    Attributes
    ----------
    shards
        Names of the shards, as they stand in result paths.
    embeddings, metadata
        Paths, one a shard.
    by_position, archives
        As of any source whose tables are cut like its embeddings.
    """

    shards: tuple[str, ...]
    embeddings: tuple[str, ...]
    metadata: tuple[str, ...]
    by_position: bool = False
    archives: tuple[str, ...] = ()

    @classmethod
    def of_rows(cls, n_rows: int, rows_a_shard: int) -> WorldSource:
        """The files of `n_rows` training rows, `rows_a_shard` in each shard."""
        shards = tuple(shard_names(n_rows, rows_a_shard))
        folder = "<results>/world/embeddings"
        numbers = [f"{i:04d}" for i in range(len(shards))]
        return cls(
            shards,
            tuple(f"{folder}/img_emb/img_emb_{number}.npy" for number in numbers),
            tuple(f"{folder}/metadata/metadata_{number}.parquet" for number in numbers),
        )


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class DataFiles:
    """The training data of a run, as inputs of rules.

    Attributes
    ----------
    config
        The checked configuration.
    source
        Shards, embeddings and tables of the data.
    archive_folder
        Folder of the img2dataset archives.
    found_archives
        Archives that lie in that folder before the run; not used of the world, which makes its own.
    clip
        Folder of `inputs.clip`, or "world" for the CLIP that the world trains.
    """

    config: Mapping[str, Any]
    source: Source
    archive_folder: str
    found_archives: Sequence[str]
    clip: str

    @property
    def world(self) -> bool:
        """Whether the data are the embedded world's, so that the truth is known."""
        return self.config["inputs"]["source"] == "world"

    @property
    def shards(self) -> list[str]:
        """Names of the embedding shards: planned of the world, listed of a folder."""
        return list(self.source.shards)

    def of_shards(self, pattern: str) -> list[str]:
        """A file of every shard; `{shard}` in the pattern stands for the name."""
        return [pattern.replace("{shard}", shard) for shard in self.source.shards]

    @property
    def rows(self) -> list[str]:
        """The rows table of every shard."""
        return self.of_shards("<results>/inputs/rows/{shard}.parquet")

    @property
    def pairs(self) -> list[str]:
        """The neighbour pairs of every shard."""
        return self.of_shards("<results>/dedup/pairs/{shard}.parquet")

    @property
    def has_embeddings(self) -> bool:
        """Whether there are embeddings, or images to make them of; tables alone give captions and urls."""
        return bool(self.source.embeddings or self.source.archives)

    def _embeddings(self, shard: str) -> str:
        if self.source.embeddings:
            return self.source.embeddings[self._place(shard)]
        if self.source.archives:
            return f"<results>/inputs/img_emb/img_emb_{shard}.npy"
        # tables alone: whoever asks for embeddings is told the name of a file that is not there
        return f"{self.config['inputs']['source']}/img_emb/img_emb_{shard}.npy"

    def _place(self, shard: str) -> int:
        return self.shards.index(shard)

    @property
    def embeddings(self) -> list[str]:
        """The embeddings of all shards, in order of their rows."""
        return list(self.source.embeddings) or [self._embeddings(shard) for shard in self.shards]

    @property
    def embeddings_if_any(self) -> list[str]:
        """The embeddings of all shards; none where there are tables alone."""
        return self.embeddings if self.has_embeddings else []

    @property
    def metadata(self) -> list[str]:
        """The tables of captions and addresses of all shards, in order of their rows."""
        return list(self.source.metadata)

    def embeddings_of(self, wildcards: Any) -> str:
        """Input function: the embeddings of `wildcards.shard`."""
        return self._embeddings(wildcards.shard)

    def embeddings_of_if_any(self, wildcards: Any) -> str | list[str]:
        """Input function: the embeddings of `wildcards.shard`; none where there are tables alone."""
        return self._embeddings(wildcards.shard) if self.has_embeddings else []

    def metadata_of(self, wildcards: Any) -> str | list[str]:
        """Input function: the table of `wildcards.shard`.

        None where tables are cut differently than the embeddings: the manifest says which hold the shard.
        """
        if self.source.by_position:
            return []
        return self.source.metadata[self._place(wildcards.shard)]

    def archive_of(self, wildcards: Any) -> str:
        """Input function: the img2dataset archive whose images make up `wildcards.shard`, which has no embeddings."""
        return str(Path(self.source.metadata[self._place(wildcards.shard)]).with_suffix(".tar"))

    @property
    def archives(self) -> list[str]:
        """The img2dataset archives: those that the world makes, or those that lie in a user's folder.

        Of very many only the folder: an archive that is added changes its time.
        """
        if self.world:
            return self.of_shards("<results>/world/data/{shard}.tar")
        found = list(self.found_archives)
        return [self.archive_folder] if len(found) > MOST_LISTED else found

    def image_folder(self, wildcards: Any) -> str:
        """Params function: the folder of the img2dataset archives."""
        return self.archive_folder

    @property
    def index(self) -> list[str]:
        """The parts of the index of all embeddings, each of dedup.shards_a_part shards."""
        parts = shard_names(len(self.shards), self.config["dedup"]["shards_a_part"])
        return [f"<results>/dedup/index/{part}.faiss" for part in parts]

    @property
    def index_searched(self) -> list[str]:
        """The parts of the index, where pairs may be found by it (dedup.search)."""
        return [] if self.config["dedup"]["search"] == "exact" else self.index

    def _part(self, part: str) -> list[str]:
        size = self.config["dedup"]["shards_a_part"]
        return self.shards[int(part) * size : (int(part) + 1) * size]

    def rows_of_part(self, wildcards: Any) -> list[str]:
        """Input function: the rows tables of the shards that `wildcards.part` of the index holds."""
        return [f"<results>/inputs/rows/{shard}.parquet" for shard in self._part(wildcards.part)]

    def embeddings_of_part(self, wildcards: Any) -> list[str]:
        """Input function: the embeddings of the shards that `wildcards.part` of the index holds."""
        return [self._embeddings(shard) for shard in self._part(wildcards.part)]

    @property
    def memory_mb(self) -> int:
        """MB of memory that a job needs which holds dedup.memory_mb of rows."""
        return 2 * int(self.config["dedup"]["memory_mb"]) + BESIDE_ROWS_MB

    @property
    def downloads_mb(self) -> int:
        """Most MB that downloads hold: a file each worker, and as many that wait to be written."""
        download = self.config["inputs"]["download"]
        return 2 * int(download["workers"]) * int(download["max_bytes"]) // 1_000_000

    @property
    def url_cache(self) -> str:
        """The folder that keeps images fetched by url."""
        folder: str = self.config["inputs"]["download"]["cache"]
        return folder or f"{self.config['results']}/inputs/urls"

    @property
    def extra_prompts(self) -> list[str]:
        """Files of captions to judge beside the selected ones: the world's held-out ones, and a user's.

        A caption that stands in both is one prompt: its key is made of the caption alone.
        """
        file = self.config["inputs"]["extra_prompts"]
        held_out = ["<results>/world/extra_prompts.parquet"] if self.world and file else []
        return [*held_out, file] if file not in ("", "world") else held_out

    @property
    def clip_checked(self) -> str | list[str]:
        """The file that says that inputs.clip made the embeddings; none where the run makes them itself."""
        own = not self.world and self.source.embeddings and self.config["inputs"]["clip_images"]
        return "<results>/inputs/clip.tsv" if own else []

    def clip_file(self, name: str) -> str:
        """A file of the CLIP that made the embeddings."""
        return f"<results>/world/clip/{name}" if self.clip == "world" else f"{self.clip}/{name}"

    @property
    def clip_listed(self) -> str | list[str]:
        """What is loaded of a CLIP that is not trained here, with digests, listed before any work is done with it."""
        return [] if self.clip == "world" else "<results>/inputs/clip_files.tsv"

    @property
    def clip_state(self) -> str:
        """Which files would be loaded of the CLIP, its tokenizer among them."""
        return "" if self.clip == "world" else clip_state(self.clip)
