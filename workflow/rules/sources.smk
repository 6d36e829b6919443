# Where the training data of a run lies: shards, embeddings, archives, captions, by the config and by what is
# found in a folder; no rules.
if not WORLD:
    from verbatim.inputs import layouts

    try:
        SOURCE = layouts.list_files(config["inputs"]["source"])
    except layouts.InputError as err:
        raise WorkflowError(str(err))
    PLACES = {shard: place for place, shard in enumerate(SOURCE.shards)}


def input_shards():
    """Names of the embedding shards: known at parse time, planned for the world, listed for a folder."""
    if WORLD:
        from verbatim.world import plan

        return shards(
            plan.count_rows(config["world"]["planted"]),
            config["world"]["rows_a_shard"],
        )
    return list(SOURCE.shards)


def index_parts():
    """The parts of the index of all embeddings, each of dedup.shards_a_part shards."""
    parts = shards(len(input_shards()), config["dedup"]["shards_a_part"])
    return [f"<results>/dedup/index/{part}.faiss" for part in parts]


def shards_of_part(part):
    """Names of the embedding shards that a part of the index holds."""
    size = config["dedup"]["shards_a_part"]
    return input_shards()[int(part) * size : (int(part) + 1) * size]


def dedup_memory():
    """MB that a job needs which keeps dedup.memory_mb of rows in memory: libraries, and a shard of captions."""
    return 2 * config["dedup"]["memory_mb"] + 2000


def source_file(kind, shard):
    """The file of a shard that holds its `embeddings` or its `metadata`.

    No metadata where tables are cut differently than the embeddings: the manifest says which hold the shard.
    """
    if WORLD:
        number = f"{int(shard):04d}"
        name = {
            "embeddings": f"img_emb/img_emb_{number}.npy",
            "metadata": f"metadata/metadata_{number}.parquet",
        }[kind]
        return f"<results>/world/embeddings/{name}"
    place = PLACES[shard]
    if kind == "metadata":
        return [] if SOURCE.by_position else SOURCE.metadata[place]
    if SOURCE.embeddings:
        return SOURCE.embeddings[place]
    if SOURCE.archives:
        return f"<results>/inputs/img_emb/img_emb_{shard}.npy"
    # tables alone: whoever asks for embeddings is told the name of a file that is not there
    return f"{config['inputs']['source']}/img_emb/img_emb_{shard}.npy"


def source_files(kind):
    """The `embeddings` or the `metadata` of all shards, in order of their rows."""
    if not WORLD and kind == "metadata":
        return list(SOURCE.metadata)
    if not WORLD and SOURCE.embeddings:
        return list(SOURCE.embeddings)
    return [source_file(kind, shard) for shard in input_shards()]


def source_archive(shard):
    """The img2dataset archive whose images make up a shard, of a source without embeddings."""
    return str(Path(source_file("metadata", shard)).with_suffix(".tar"))


def has_embeddings():
    """Whether there are embeddings, or images to make them of; tables alone give captions and urls."""
    return WORLD or bool(SOURCE.embeddings or SOURCE.archives)


def image_archives():
    """The img2dataset archives: those that this run makes, or those that lie in a user's folder now.

    Of very many only the folder: an archive that is added later changes its time.
    """
    if WORLD:
        return [f"<results>/world/data/{shard}.tar" for shard in input_shards()]
    folder = image_folder()
    found = layouts.list_archives(folder)
    return [folder] if len(found) > 5000 else found


def image_folder():
    """The folder of the img2dataset archives."""
    if config["inputs"]["images"]:
        return config["inputs"]["images"]
    if WORLD:
        return f"{RESULTS}/world/data"
    return layouts.archive_folder(config["inputs"]["source"])


def url_cache():
    """The folder that images fetched by url are kept in."""
    return config["inputs"]["download"]["cache"] or f"{RESULTS}/inputs/urls"


def downloaded_mb():
    """Megabytes that downloads hold at most: each worker a file, and as many that wait to be written."""
    settings = config["inputs"]["download"]
    return 2 * settings["workers"] * settings["max_bytes"] // 1_000_000


def extra_prompts():
    """Files of captions to judge beside the selected ones: the world's held-out ones, and a user's.

    A caption that stands in both is one prompt: its key is made of the caption alone.
    """
    file = config["inputs"]["extra_prompts"]
    held_out = ["<results>/world/extra_prompts.parquet"] if WORLD and file else []
    return [*held_out, file] if file not in ("", "world") else held_out


def prompt_list():
    """The file of captions that are the prompts, or an empty list."""
    return config["dedup"]["prompt_list"] or []


def checked_clip():
    """The file that says that inputs.clip made the embeddings; of those that a run does not make itself."""
    if WORLD or not SOURCE.embeddings or not config["inputs"]["clip_images"]:
        return []
    return "<results>/inputs/clip.tsv"


def clip_file(name):
    """A file of the CLIP model that made the embeddings."""
    return f"<results>/world/clip/{name}" if CLIP == "world" else f"{CLIP}/{name}"


def listed_clip():
    """What is loaded of a CLIP that is not trained here, with digests, known before any work is done with it."""
    return [] if CLIP == "world" else "<results>/inputs/clip_files.tsv"


def clip_state():
    """Which files would be loaded of the CLIP now; its tokenizer is part of it."""
    return "" if CLIP == "world" else sources.clip_state(CLIP)
