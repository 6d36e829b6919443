# dedup: CLIP embeddings -> neighbour pairs, duplicate clusters, the most duplicated prompts.
# Webster 2023, section 4 and Fig. 4; "On the De-duplication of LAION-2B" (arXiv 2303.12733).
#
# No job's memory grows with the data set: shards are fingerprinted and searched one by one, the index lies in
# parts of dedup.shards_a_part shards, and what needs all rows waits on disk beyond dedup.memory_mb.
#
# INPUTS   <results>/inputs/manifest.tsv, <results>/inputs/rows/{shard}.parquet, the raw embeddings
# OUTPUTS  in <results>/dedup/
#          of build_fingerprints, merge_copies
#            fingerprints/{shard}.npy         a hash of each embedding, sorted
#            copies.parquet                   rows whose vector equals that of a lower row
#          of train_index, build_index
#            trained.faiss                    the empty index
#            index/{part}.faiss               nearest rows; ids are global rows, equal vectors only once
#          of search_pairs
#            pairs/{shard}.parquet            neighbours of a shard's rows, by raw cosine; dedup.search says how they are found
#          of cluster_rows, count_clusters, count_duplicates
#            clusters.parquet                 row -> cluster; cluster_sizes.parquet: and its size
#            cluster_stats.parquet            size and captions of each cluster
#            histograms.parquet               clusters by size and share of equal captions (Fig. 4)
#          of select_prompts, or of select_listed where dedup.prompt_list names a list, or of select_sets
#            prompts.parquet                  the most duplicated prompts, and the extra ones
#          of select_kept_rows
#            kept_rows.parquet                what a deduplicated training set keeps
#          of compare_pairs (target `templates`)
#            templates/{shard}.parquet        pairs that differ in one region only


rule build_fingerprints:
    input:
        manifest="<results>/inputs/manifest.tsv",
        rows="<results>/inputs/rows/{shard}.parquet",
        embeddings=run.data.embeddings_of,
        code=code_of("dedup/build_fingerprints"),
    output:
        fingerprints="<results>/dedup/fingerprints/{shard}.npy",
    log:
        "<results>/logs/dedup/build_fingerprints/{shard}.log",
    benchmark:
        "<results>/benchmarks/dedup/build_fingerprints/{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(60),
    script:
        "../scripts/dedup/build_fingerprints.py"


rule merge_copies:
    input:
        manifest="<results>/inputs/manifest.tsv",
        fingerprints=run.data.of_shards("<results>/dedup/fingerprints/{shard}.npy"),
        embeddings=run.data.embeddings,
        code=code_of("dedup/merge_copies"),
    output:
        copies="<results>/dedup/copies.parquet",
    log:
        "<results>/logs/dedup/merge_copies.log",
    benchmark:
        "<results>/benchmarks/dedup/merge_copies.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(run.data.memory_mb),
        runtime=grow(1440),
    params:
        memory_mb=config["dedup"]["memory_mb"],
    script:
        "../scripts/dedup/merge_copies.py"


rule train_index:
    input:
        manifest="<results>/inputs/manifest.tsv",
        rows=run.data.rows,
        embeddings=run.data.embeddings,
        copies="<results>/dedup/copies.parquet",
        clip=run.data.clip_checked,
        code=code_of("dedup/train_index"),
    output:
        index="<results>/dedup/trained.faiss",
    log:
        "<results>/logs/dedup/train_index.log",
    benchmark:
        "<results>/benchmarks/dedup/train_index.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        gpu=config["dedup"]["gpu"],
        mem_mb=grow(4000 + config["dedup"]["train_rows"] // 100),
        runtime=grow(1440),
    params:
        **run.pick("dedup", "factory nprobe train_rows seed gpu"),
    script:
        "../scripts/dedup/train_index.py"


rule build_index:
    input:
        manifest="<results>/inputs/manifest.tsv",
        rows=run.data.rows_of_part,
        embeddings=run.data.embeddings_of_part,
        copies="<results>/dedup/copies.parquet",
        trained="<results>/dedup/trained.faiss",
        code=code_of("dedup/build_index"),
    output:
        index="<results>/dedup/index/{part}.faiss",
    log:
        "<results>/logs/dedup/build_index/{part}.log",
    benchmark:
        "<results>/benchmarks/dedup/build_index/{part}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(8000),
        runtime=grow(480),
    params:
        batch=config["dedup"]["batch"],
    script:
        "../scripts/dedup/build_index.py"


rule search_pairs:
    input:
        manifest="<results>/inputs/manifest.tsv",
        rows="<results>/inputs/rows/{shard}.parquet",
        index=run.data.index_searched,
        copies="<results>/dedup/copies.parquet",
        # not inputs: rows and embeddings of the other shards, which the manifest names; copies come after all of them
        embeddings=run.data.embeddings_of,
        code=code_of("dedup/search_pairs"),
    output:
        pairs="<results>/dedup/pairs/{shard}.parquet",
    log:
        "<results>/logs/dedup/search_pairs/{shard}.log",
    benchmark:
        "<results>/benchmarks/dedup/search_pairs/{shard}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=config["dedup"]["gpu"],
        mem_mb=grow(4000 + run.data.memory_mb),
        runtime=grow(480),
    params:
        **run.pick("dedup", "k most_neighbours threshold relatives_threshold margin"),
        **run.pick("dedup", "search exact_rows batch memory_mb gpu"),
    script:
        "../scripts/dedup/search_pairs.py"


rule cluster_rows:
    input:
        manifest="<results>/inputs/manifest.tsv",
        pairs=run.data.pairs,
        code=code_of("dedup/cluster_rows"),
    output:
        clusters="<results>/dedup/clusters.parquet",
        sizes="<results>/dedup/cluster_sizes.parquet",
    log:
        "<results>/logs/dedup/cluster_rows.log",
    benchmark:
        "<results>/benchmarks/dedup/cluster_rows.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(run.data.memory_mb),
        runtime=grow(1440),
    params:
        **run.pick("dedup", "threshold memory_mb"),
    script:
        "../scripts/dedup/cluster_rows.py"


rule count_clusters:
    input:
        rows=run.data.rows,
        clusters="<results>/dedup/clusters.parquet",
        code=code_of("dedup/count_clusters"),
    output:
        stats="<results>/dedup/cluster_stats.parquet",
    log:
        "<results>/logs/dedup/count_clusters.log",
    benchmark:
        "<results>/benchmarks/dedup/count_clusters.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(run.data.memory_mb),
        runtime=grow(1440),
    params:
        memory_mb=config["dedup"]["memory_mb"],
    script:
        "../scripts/dedup/count_clusters.py"


rule count_duplicates:
    input:
        rows=run.data.rows,
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        code=code_of("dedup/count_duplicates"),
    output:
        histograms="<results>/dedup/histograms.parquet",
    log:
        "<results>/logs/dedup/count_duplicates.log",
    benchmark:
        "<results>/benchmarks/dedup/count_duplicates.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        share_bins=config["dedup"]["share_bins"],
    script:
        "../scripts/dedup/count_duplicates.py"


rule select_prompts:
    input:
        rows=run.data.rows,
        sizes="<results>/dedup/cluster_sizes.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        extra=run.data.extra_prompts,
        code=code_of("dedup/select_prompts"),
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
        mem_mb=grow(run.data.memory_mb),
        runtime=grow(1440),
    params:
        **run.pick("dedup", "n_prompts min_caption_chars max_caption_chars memory_mb"),
    script:
        "../scripts/dedup/select_prompts.py"


# the prompts are the most duplicated ones, a list's, or those of published sets (dedup.prompt_list): one of three
# rules makes them
if config["dedup"]["prompt_list"]:

    ruleorder: select_sets > select_listed > select_prompts

else:

    ruleorder: select_prompts > select_listed


rule select_listed:
    input:
        listed=sets.prompt_list,
        rows=run.data.rows,
        clusters="<results>/dedup/clusters.parquet",
        stats="<results>/dedup/cluster_stats.parquet",
        extra=run.data.extra_prompts,
        code=code_of("dedup/select_listed"),
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
        mem_mb=grow(4000),
        runtime=grow(720),
    params:
        **run.pick("dedup", "n_prompts min_caption_chars max_caption_chars"),
    script:
        "../scripts/dedup/select_listed.py"


rule select_sets:
    input:
        sets="<results>/inputs/prompt_sets.parquet",
        code=code_of("dedup/select_sets"),
    output:
        prompts=f"<results>/dedup/{sets.prompts}.parquet",
    log:
        "<results>/logs/dedup/select_sets.log",
    benchmark:
        "<results>/benchmarks/dedup/select_sets.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    script:
        "../scripts/dedup/select_sets.py"


rule select_kept_rows:
    input:
        rows=run.data.rows,
        clusters="<results>/dedup/clusters.parquet",
        code=code_of("dedup/select_kept_rows"),
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
        mem_mb=grow(run.data.memory_mb),
        runtime=grow(1440),
    params:
        memory_mb=config["dedup"]["memory_mb"],
    script:
        "../scripts/dedup/select_kept_rows.py"


rule compare_pairs:
    input:
        manifest="<results>/inputs/manifest.tsv",
        # not an input a shard: a pair may reach into any, and clusters come after all of them
        clusters="<results>/dedup/clusters.parquet",
        pairs="<results>/dedup/pairs/{shard}.parquet",
        code=code_of("dedup/compare_pairs"),
    output:
        templates="<results>/dedup/templates/{shard}.parquet",
    log:
        "<results>/logs/dedup/compare_pairs/{shard}.log",
    benchmark:
        "<results>/benchmarks/dedup/compare_pairs/{shard}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(480),
    params:
        rows=f"{RESULTS}/inputs/rows",
        settings=config["dedup"]["templates"],
        keep=4096,
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/dedup/compare_pairs.py"
