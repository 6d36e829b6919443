# claims: the papers' claims, judged by every number of the study. Carlini 2023; Somepalli 2022, 2023.
#
# INPUTS   <results>/sweep/points; the tables of <results>/mitigation, similarity and membership
# OUTPUTS  of merge_measures, in <results>/claims/
#            measures.parquet, states.parquet every number; what came of every training
#          of plot_claims, in <results>/claims/
#            figures/                         one for each finding
#          of compare_claims, in <results>/claims/
#            claims.csv, counts.csv           the papers' claims; how many held
#            robustness.csv                   the claims by other measures of similarity
#            mitigations.csv, claims.html     mitigations, the paper's values and ours; the page
CLAIM_FIGURES = [
    "duplication",
    "conditioning",
    "data",
    "length",
    "mitigations_training",
    "mitigations_inference",
    "attacks",
    "complexity",
    "clusters",
    "membership",
    "relative",
    "users",
]


localrules:
    compare_claims,


rule merge_measures:
    input:
        states=SWEEP.of_trainings("<results>/sweep/points/{point}/{seed}/state.parquet"),
        measures=SWEEP.of_runs(
            "<results>/similarity/runs/{point}/{seed}/{defence}/measures.parquet"
        ),
        scores=SWEEP.of_runs(
            "<results>/membership/runs/{point}/{seed}/{defence}/scores.parquet"
        ),
        generations=SWEEP.of_runs(
            "<results>/mitigation/runs/{point}/{seed}/{defence}/generations.parquet"
        ),
        similarities=SWEEP.of_runs(
            "<results>/similarity/runs/{point}/{seed}/{defence}/similarities.parquet"
        ),
        datasets=expand(
            "<results>/similarity/dataset/{seed}/measures.parquet",
            seed=SWEEP.run_seeds,
        ),
        users=rules.count_users.output.measures,
        membership=(
            [
                rules.score_membership.output.measures,
                rules.score_inpainting.output.measures,
            ]
            if SWEEP.shadows
            else []
        ),
        relative=rules.count_relative.output.measures if SWEEP.bare else [],
        code=code_of("claims/merge_measures"),
    output:
        measures="<results>/claims/measures.parquet",
        states="<results>/claims/states.parquet",
    log:
        "<results>/logs/claims/merge_measures.log",
    benchmark:
        "<results>/benchmarks/claims/merge_measures.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        runs=SWEEP.runs,
        copy_rmse=config["labels"]["presets"][config["labels"]["preset"]]["mv"],
        resamples=config["similarity"]["resamples"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/claims/merge_measures.py"


rule plot_claims:
    input:
        measures=rules.merge_measures.output.measures,
        pool=rules.select_pool.output.pool,
        features=rules.embed_pool.output.features,
        similarities=SWEEP.of_shown(
            "<results>/similarity/runs/{point}/{seed}/none/similarities.parquet"
        ),
        generations=SWEEP.of_shown(
            "<results>/mitigation/runs/{point}/{seed}/none/generations.parquet"
        ),
        clusters=expand(
            "<results>/similarity/dataset/{seed}/clusters.parquet",
            seed=SWEEP.run_seeds,
        ),
        membership=rules.score_membership.output.scores if SWEEP.shadows else [],
        relative=rules.count_relative.output.distances if SWEEP.bare else [],
        code=code_of("claims/plot_claims"),
    output:
        png=expand("<results>/claims/figures/{figure}.png", figure=CLAIM_FIGURES),
        pdf=expand("<results>/claims/figures/{figure}.pdf", figure=CLAIM_FIGURES),
    log:
        "<results>/logs/claims/plot_claims.log",
    benchmark:
        "<results>/benchmarks/claims/plot_claims.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(20),
    params:
        figures=CLAIM_FIGURES,
        points=SWEEP.records,
        base=config["sweep"]["base"],
        defended=config["mitigation"]["defended"],
        defences=config["mitigation"]["defences"],
        descriptor=config["similarity"]["descriptor"],
        complexity_of=SWEEP.shown_point,
        without_captions=SWEEP.bare_descriptions,
        resamples=config["similarity"]["resamples"],
        confidence=config["tables"]["confidence"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/claims/plot_claims.py"


rule compare_claims:
    input:
        measures=rules.merge_measures.output.measures,
        states=rules.merge_measures.output.states,
        pool=rules.select_pool.output.pool,
        paper=config["claims"]["paper_values"],
        figures=rules.plot_claims.output.png,
        template=[
            workflow.source_path(f"../report/{name}")
            for name in ("claims/page.html", "tables.css")
        ],
        code=code_of("claims/compare_claims"),
    output:
        claims="<results>/claims/claims.csv",
        counts="<results>/claims/counts.csv",
        robustness="<results>/claims/robustness.csv",
        table="<results>/claims/mitigations.csv",
        page="<results>/claims/claims.html",
    log:
        "<results>/logs/claims/compare_claims.log",
    benchmark:
        "<results>/benchmarks/claims/compare_claims.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        points=SWEEP.records,
        base=config["sweep"]["base"],
        defended=config["mitigation"]["defended"],
        defences=config["mitigation"]["defences"],
        seeds=len(config["sweep"]["seeds"]),
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/claims/compare_claims.py"
