# study, concluding: membership, the papers' claims, tables, figures, the page. Carlini 2023; Somepalli 2022, 2023.
#
# INPUTS   what the rules of study.smk and study_measures.smk leave in <results>/study/runs and points
# OUTPUTS  <results>/study/membership/   scores.parquet: a row a shadow model and image; measures.parquet
#          <results>/study/inpainting/   errors.parquet: the same of completed halves; measures.parquet
#          <results>/study/relative/     distances.parquet: a row an image of models without captions; measures.parquet
#          <results>/study/measures.parquet, states.parquet   every number of every run; what came of every training
#          <results>/study/claims.csv, robustness.csv            claims; the same by other measures of similarity
#          <results>/study/table1.csv, claims.html               mitigations (theirs beside ours); the page
#          <results>/study/figures/      one for each finding
STUDY_FIGURES = [
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


rule score_membership:
    input:
        images=rules.build_images.output.images,
        rows=of_shadows("rows.parquet"),
        states=of_shadows("state.parquet"),
        models=of_shadows("model"),
        code=code_of("study/score_membership"),
    output:
        scores="<results>/study/membership/scores.parquet",
        measures="<results>/study/membership/measures.parquet",
    log:
        "<results>/logs/study/score_membership.log",
    benchmark:
        "<results>/benchmarks/study/score_membership.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        points=shadow_points(),
        seed=config["study"]["seeds"][0],
        timestep=config["study"]["membership"]["timestep"],
        variance=config["study"]["membership"]["variance"],
        noises=list(range(config["study"]["membership"]["noises"])),
        flip=config["study"]["membership"]["flip"],
        fprs=config["study"]["membership"]["fpr"],
        neighbours=config["study"]["membership"]["neighbours"],
        batch=config["sampling"]["batch"],
        resamples=config["tables"]["resamples"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/study/score_membership.py"


rule score_inpainting:
    input:
        images=rules.build_images.output.images,
        rows=of_shadows("rows.parquet"),
        states=of_shadows("state.parquet"),
        models=of_shadows("model"),
        code=code_of("study/score_inpainting"),
    output:
        errors="<results>/study/inpainting/errors.parquet",
        measures="<results>/study/inpainting/measures.parquet",
    log:
        "<results>/logs/study/score_inpainting.log",
    benchmark:
        "<results>/benchmarks/study/score_inpainting.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        points=shadow_points(),
        seed=config["study"]["seeds"][0],
        timestep=config["study"]["membership"]["timestep"],
        variance=config["study"]["membership"]["variance"],
        images=config["study"]["inpainting"]["images"],
        completions=config["study"]["inpainting"]["completions"],
        best=config["study"]["inpainting"]["best"],
        steps=config["study"]["inpainting"]["steps"],
        batch=config["sampling"]["batch"],
        resamples=config["tables"]["resamples"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/study/score_inpainting.py"


rule count_relative:
    input:
        images=rules.build_images.output.images,
        rows=of_relative("<results>/study/points/{point}/{seed}/rows.parquet"),
        generations=of_relative(
            "<results>/study/runs/{point}/{seed}/none/generations.parquet"
        ),
        archives=of_relative("<results>/study/runs/{point}/{seed}/none/images.zip"),
        code=code_of("study/count_relative"),
    output:
        distances="<results>/study/relative/distances.parquet",
        measures="<results>/study/relative/measures.parquet",
    log:
        "<results>/logs/study/count_relative.log",
    benchmark:
        "<results>/benchmarks/study/count_relative.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        runs=relative_runs(),
        nearest=config["study"]["relative"]["nearest"],
        alpha=config["study"]["relative"]["alpha"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/study/count_relative.py"


rule merge_study:
    input:
        states=of_study_points("state.parquet"),
        measures=of_study_runs("measures.parquet"),
        scores=of_study_runs("scores.parquet"),
        generations=of_study_runs("generations.parquet"),
        similarities=of_study_runs("similarities.parquet"),
        further=[*all_study_measures(), *carlini_measures()],
        code=code_of("study/merge_study"),
    output:
        measures="<results>/study/measures.parquet",
        states="<results>/study/states.parquet",
    log:
        "<results>/logs/study/merge_study.log",
    benchmark:
        "<results>/benchmarks/study/merge_study.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(20),
    params:
        runs=study_runs(),
        copy_rmse=config["labels"]["presets"][config["labels"]["preset"]]["mv"],
        resamples=config["study"]["measures"]["resamples"],
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/study/merge_study.py"


rule plot_study:
    input:
        measures=rules.merge_study.output.measures,
        pool=rules.select_pool.output.pool,
        features=rules.embed_pool.output.features,
        similarities=f"<results>/study/runs/{plain_point()}/{config['study']['seeds'][0]}/none/similarities.parquet",
        generations=f"<results>/study/runs/{plain_point()}/{config['study']['seeds'][0]}/none/generations.parquet",
        clusters=of_datasets("clusters.parquet"),
        membership=rules.score_membership.output.scores if shadow_points() else [],
        relative=rules.count_relative.output.distances if relative_runs() else [],
        code=code_of("study/plot_study"),
    output:
        png=expand("<results>/study/figures/{figure}.png", figure=STUDY_FIGURES),
        pdf=expand("<results>/study/figures/{figure}.pdf", figure=STUDY_FIGURES),
    log:
        "<results>/logs/study/plot_study.log",
    benchmark:
        "<results>/benchmarks/study/plot_study.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(20),
    params:
        figures=STUDY_FIGURES,
        points=every_point(),
        base=config["study"]["base"],
        defended=config["study"]["defended"],
        defences=config["study"]["defences"],
        columns=[
            "stage",
            "mitigation",
            "duplication",
            "copies",
            "point",
            "defence",
        ],
        descriptor=config["study"]["measures"]["descriptor"],
        complexity_of=plain_point(),
        without_captions={
            point: ALL_POINTS[point].description for point, _ in relative_runs()
        },
        resamples=config["study"]["measures"]["resamples"],
        confidence=config["tables"]["confidence"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/study/plot_study.py"


rule compare_claims:
    input:
        measures=rules.merge_study.output.measures,
        states=rules.merge_study.output.states,
        pool=rules.select_pool.output.pool,
        paper=config["study"]["paper_values"],
        figures=rules.plot_study.output.png,
        code=code_of("study/compare_claims"),
    output:
        claims="<results>/study/claims.csv",
        robustness="<results>/study/robustness.csv",
        table="<results>/study/table1.csv",
        page="<results>/study/claims.html",
    log:
        "<results>/logs/study/compare_claims.log",
    benchmark:
        "<results>/benchmarks/study/compare_claims.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        points=every_point(),
        base=config["study"]["base"],
        defended=config["study"]["defended"],
        defences=config["study"]["defences"],
        seeds=len(config["study"]["seeds"]),
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/study/compare_claims.py"
