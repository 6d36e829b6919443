# inputs: embeddings, metadata and image archives, found in a folder or made by `world` -> one canonical form.
# Layouts: clip-retrieval (img_emb/img_emb_N.npy with metadata/metadata_N.parquet; LAION's embeddings), LAION's and
# ReLAION's tables (part-N-*.parquet), img2dataset (N.tar with N.parquet, embedded here where there is no img_emb).
#
# INPUTS   <results>/world/embeddings and <results>/world/data, or the folder inputs.source
# OUTPUTS  in <results>/inputs/
#          of check_inputs
#            manifest.tsv                     one row a shard: files, rows, first row, dimensions, digests
#            archives.tsv                     one row an archive: the keys that it holds
#          of check_model, check_upscaler, check_clip_files
#            models/{model}.tsv               what is loaded of a model that is not trained here, with digests
#            upscalers/{model}.tsv            the same of its second stage, if it has one
#            clip_files.tsv                   the same of a CLIP that is not trained here
#          of check_clip
#            clip.tsv                         how well inputs.clip meets the source's own embeddings
#          of embed_images
#            img_emb/img_emb_{shard}.npy      embeddings of img2dataset's images
#          of build_prompt_sets, where prompt_sets.sets names published prompts
#            prompt_sets.parquet              a row a published prompt, and negatives matched to the positives
#          of build_rows
#            rows/{shard}.parquet             one row a training row: url, caption, where its image is, status
#          of check_digests and merge_digests, on demand
#            digests/{shard}.txt, sha256.txt  sha256 of every byte of the source, for sha256sum -c


rule check_inputs:
    input:
        embeddings=run.data.embeddings_if_any,
        metadata=run.data.metadata,
        archives=run.data.archives,
        code=code_of("inputs/check_inputs"),
    output:
        manifest="<results>/inputs/manifest.tsv",
        archives="<results>/inputs/archives.tsv",
    log:
        "<results>/logs/inputs/check_inputs.log",
    benchmark:
        "<results>/benchmarks/inputs/check_inputs.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(30),
    params:
        images=run.data.image_folder,
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/inputs/check_inputs.py"


rule check_model:
    input:
        model=run.models.folder,
        code=code_of("inputs/check_model"),
    output:
        files="<results>/inputs/models/{model}.tsv",
    log:
        "<results>/logs/inputs/check_model/{model}.log",
    benchmark:
        "<results>/benchmarks/inputs/check_model/{model}.tsv"
    # before everything else: a model that cannot be loaded must not cost a search of all embeddings
    priority: 1000
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        model=run.models.loading,
        loaded=run.models.state,
    script:
        "../scripts/inputs/check_model.py"


rule check_upscaler:
    input:
        model=run.models.folder,
        upscaler=run.models.upscaler_folder,
        checked=run.models.checked,
        code=code_of("inputs/check_upscaler"),
    output:
        files="<results>/inputs/upscalers/{model}.tsv",
    log:
        "<results>/logs/inputs/check_upscaler/{model}.log",
    benchmark:
        "<results>/benchmarks/inputs/check_upscaler/{model}.tsv"
    priority: 1000
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        model=run.models.loading,
        upscaler=run.models.upscaler,
        loaded=run.models.upscaler_state,
    script:
        "../scripts/inputs/check_upscaler.py"


rule check_clip_files:
    input:
        code=code_of("inputs/check_clip_files"),
    output:
        files="<results>/inputs/clip_files.tsv",
    log:
        "<results>/logs/inputs/check_clip_files.log",
    benchmark:
        "<results>/benchmarks/inputs/check_clip_files.tsv"
    priority: 999
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(30),
    params:
        folder=run.data.clip,
        loaded=run.data.clip_state,
    script:
        "../scripts/inputs/check_clip_files.py"


rule check_clip:
    input:
        manifest="<results>/inputs/manifest.tsv",
        archives="<results>/inputs/archives.tsv",
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        code=code_of("inputs/check_clip"),
    output:
        agreement="<results>/inputs/clip.tsv",
    log:
        "<results>/logs/inputs/check_clip.log",
    benchmark:
        "<results>/benchmarks/inputs/check_clip.tsv"
    # before the search of all embeddings, which another CLIP's would make meaningless
    priority: 1000
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(30),
    params:
        images=config["inputs"]["clip_images"],
        least=config["inputs"]["clip_cosine"],
        batch=config["inputs"]["embed_batch"],
    script:
        "../scripts/inputs/check_clip.py"


rule embed_images:
    input:
        archive=run.data.archive_of,
        metadata=run.data.metadata_of,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        code=code_of("inputs/embed_images"),
    output:
        embeddings="<results>/inputs/img_emb/img_emb_{shard}.npy",
    log:
        "<results>/logs/inputs/embed_images/{shard}.log",
    benchmark:
        "<results>/benchmarks/inputs/embed_images/{shard}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(120),
    params:
        batch=config["inputs"]["embed_batch"],
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/inputs/embed_images.py"


rule build_prompt_sets:
    input:
        files=sets.files,
        code=code_of("inputs/build_prompt_sets"),
    output:
        prompts="<results>/inputs/prompt_sets.parquet",
    log:
        "<results>/logs/inputs/build_prompt_sets.log",
    benchmark:
        "<results>/benchmarks/inputs/build_prompt_sets.tsv"
    # before everything else: a file that cannot be read must not cost a score
    priority: 1000
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        **run.pick("prompt_sets", "sets family length most_pool seed"),
        **run.pick("dedup", "min_caption_chars max_caption_chars"),
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/inputs/build_prompt_sets.py"


rule build_rows:
    input:
        manifest="<results>/inputs/manifest.tsv",
        archives="<results>/inputs/archives.tsv",
        embeddings=run.data.embeddings_of_if_any,
        metadata=run.data.metadata_of,
        code=code_of("inputs/build_rows"),
    output:
        rows="<results>/inputs/rows/{shard}.parquet",
    log:
        "<results>/logs/inputs/build_rows/{shard}.log",
    benchmark:
        "<results>/benchmarks/inputs/build_rows/{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        **run.pick("dedup", "min_caption_chars max_caption_chars"),
        norm_tolerance=config["inputs"]["norm_tolerance"],
    script:
        "../scripts/inputs/build_rows.py"


rule check_digests:
    input:
        manifest="<results>/inputs/manifest.tsv",
        code=code_of("inputs/check_digests"),
    output:
        digests="<results>/inputs/digests/{shard}.txt",
    log:
        "<results>/logs/inputs/check_digests/{shard}.log",
    benchmark:
        "<results>/benchmarks/inputs/check_digests/{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(60),
    script:
        "../scripts/inputs/check_digests.py"


rule merge_digests:
    input:
        digests=run.data.of_shards("<results>/inputs/digests/{shard}.txt"),
    output:
        digests="<results>/inputs/sha256.txt",
    log:
        "<results>/logs/inputs/merge_digests.log",
    benchmark:
        "<results>/benchmarks/inputs/merge_digests.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    script:
        "../scripts/inputs/merge_digests.py"
