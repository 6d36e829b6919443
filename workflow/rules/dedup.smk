# dedup: CLIP embeddings -> neighbour pairs, duplicate clusters, the most duplicated prompts.
# Webster 2023, section 4 and Fig. 4; "On the De-duplication of LAION-2B" (arXiv 2303.12733).
#
# INPUTS   <results>/inputs/manifest.tsv, <results>/inputs/rows/{shard}.parquet, the raw embeddings
# OUTPUTS  <results>/dedup/index.faiss              nearest rows; ids are global rows, equal vectors only once
#          <results>/dedup/copies.parquet           rows whose vector equals that of a lower row
#          <results>/dedup/pairs/{shard}.parquet    neighbours of a shard's rows, by raw cosine
#          <results>/dedup/clusters.parquet         row -> cluster;  cluster_stats.parquet: size, captions
#          <results>/dedup/prompts.parquet          the most duplicated prompts, and the extra ones
#          <results>/dedup/kept_rows.parquet        what a deduplicated training set keeps


rule build_index:
    input:
        manifest="<results>/inputs/manifest.tsv",
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        embeddings=source_files("embeddings"),
        code=code("search", "dedup/index"),
    output:
        index="<results>/dedup/index.faiss",
        copies="<results>/dedup/copies.parquet",
    log:
        "<results>/logs/dedup/build_index.log",
    benchmark:
        "<results>/benchmarks/dedup/build_index.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        factory=config["dedup"]["factory"],
        nprobe=config["dedup"]["nprobe"],
        train_rows=config["dedup"]["train_rows"],
        seed=config["dedup"]["seed"],
        batch=config["dedup"]["batch"],
    script:
        "../scripts/dedup/build_index.py"


rule search_pairs:
    input:
        # stands for the raw embeddings of all shards: named here, they would be shards times shards
        manifest="<results>/inputs/manifest.tsv",
        rows="<results>/inputs/rows/{shard}.parquet",
        index="<results>/dedup/index.faiss",
        copies="<results>/dedup/copies.parquet",
        code=code("search", "dedup/index", "dedup/pairs"),
    output:
        pairs="<results>/dedup/pairs/{shard}.parquet",
    log:
        "<results>/logs/dedup/search_pairs/{shard}.log",
    benchmark:
        "<results>/benchmarks/dedup/search_pairs/{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        k=config["dedup"]["k"],
        most_neighbours=config["dedup"]["most_neighbours"],
        threshold=config["dedup"]["threshold"],
        relatives_threshold=config["dedup"]["relatives_threshold"],
        margin=config["dedup"]["margin"],
        batch=config["dedup"]["batch"],
    script:
        "../scripts/dedup/search_pairs.py"


rule cluster_rows:
    input:
        manifest="<results>/inputs/manifest.tsv",
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        pairs=expand("<results>/dedup/pairs/{shard}.parquet", shard=input_shards()),
        code=code("dedup/clusters"),
    output:
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
    log:
        "<results>/logs/dedup/cluster_rows.log",
    benchmark:
        "<results>/benchmarks/dedup/cluster_rows.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        threshold=config["dedup"]["threshold"],
    script:
        "../scripts/dedup/cluster_rows.py"


rule select_prompts:
    input:
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        extra=extra_prompts(),
        code=code("dedup/prompts"),
    output:
        prompts="<results>/dedup/prompts.parquet",
    log:
        "<results>/logs/dedup/select_prompts.log",
    benchmark:
        "<results>/benchmarks/dedup/select_prompts.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        n_prompts=config["dedup"]["n_prompts"],
        min_caption_chars=config["dedup"]["min_caption_chars"],
        max_caption_chars=config["dedup"]["max_caption_chars"],
    script:
        "../scripts/dedup/select_prompts.py"


# the prompts are the most duplicated ones, or a list's (dedup.prompt_list): one of two rules makes them
if config["dedup"]["prompt_list"]:

    ruleorder: select_listed > select_prompts

else:

    ruleorder: select_prompts > select_listed


rule select_listed:
    input:
        listed=prompt_list(),
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        extra=extra_prompts(),
        code=code("authors", "dedup/listed", "dedup/prompts"),
    output:
        prompts="<results>/dedup/prompts.parquet",
    log:
        "<results>/logs/dedup/select_listed.log",
    benchmark:
        "<results>/benchmarks/dedup/select_listed.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        n_prompts=config["dedup"]["n_prompts"],
        min_caption_chars=config["dedup"]["min_caption_chars"],
        max_caption_chars=config["dedup"]["max_caption_chars"],
    script:
        "../scripts/dedup/select_listed.py"


rule select_kept_rows:
    input:
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        clusters="<results>/dedup/clusters.parquet",
        code=code("dedup/clusters"),
    output:
        kept="<results>/dedup/kept_rows.parquet",
    log:
        "<results>/logs/dedup/select_kept_rows.log",
    benchmark:
        "<results>/benchmarks/dedup/select_kept_rows.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    script:
        "../scripts/dedup/select_kept_rows.py"
