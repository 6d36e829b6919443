# tables: labels of all models -> Table 1, what it cost, how precise it was. Webster 2023, Table 1.
#
# INPUTS   <results>/labels/{model}/labels.parquet, scores of whitebox, blackbox and postfilter, cost.parquet of
#          every job; and, on the embedded world alone, <results>/world/truth.parquet
# OUTPUTS  <results>/table1.csv               the paper's Table 1 of the selected models
#          <results>/tables/table1_vs_paper.csv   ours beside the paper's
#          <results>/tables/costs.csv         network rows a stage and model, against 500 full generations a prompt
#          <results>/tables/precision.csv     precision at every depth of DCS, ECS, ECS+Carlini
#          <results>/tables/recall.csv        found of planted             (embedded world)
#          <results>/tables/confusion.csv     labels against truth         (embedded world)
#          <results>/tables/evaluation.csv    every score as a detector    (embedded world)
#          <results>/tables/detectors.csv     the scores behind it, a row a prompt (embedded world)
#          <results>/tables/agreement.csv     our labels against the authors'  (where labels.authors names theirs)
#          <results>/tables/kinds.csv         every score by kind of duplicate and count; roc.csv: the curves
#          <results>/tables/depths.csv        precision of every score's first k prompts
#          <results>/tables/tables.html       these tables on one page, to read
#          <results>/tables/seeds.csv         several worlds side by side  (a target of its own)
#          <results>/checks.txt               what was checked on these files


localrules:
    compare_paper,
    merge_costs,
    merge_tables,


rule count_labels:
    input:
        labels=labels_of_models,
        clusters="<results>/dedup/clusters.parquet",
        decisions=config["labels"]["decisions"] or [],
        code=code_of("tables/count_labels"),
    output:
        table=report(
            "<results>/table1.csv",
            caption="../report/count_labels.rst",
            category="1 Table 1",
            labels={"result": "Table 1 (CSV)"},
        ),
    log:
        "<results>/logs/tables/count_labels.log",
    benchmark:
        "<results>/benchmarks/tables/count_labels.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=sheet_columns("name", "deduplicated"),
        known=list(ALL_MODELS.index),
    script:
        "../scripts/tables/count_labels.py"


rule compare_paper:
    input:
        table1="<results>/table1.csv",
        paper=config["tables"]["paper_values"],
        code=code_of("tables/compare_paper"),
    output:
        table=report(
            "<results>/tables/table1_vs_paper.csv",
            caption="../report/compare_paper.rst",
            category="1 Table 1",
            labels={"result": "Beside the paper's (CSV)"},
        ),
    log:
        "<results>/logs/tables/compare_paper.log",
    benchmark:
        "<results>/benchmarks/tables/compare_paper.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        references={
            one["name"]: one["reference"] for one in sheet_columns("name", "reference")
        },
    script:
        "../scripts/tables/compare_paper.py"


rule merge_costs:
    input:
        costs=cost_files,
        code=code_of("tables/merge_costs"),
    output:
        table=report(
            "<results>/tables/costs.csv",
            caption="../report/merge_costs.rst",
            category="4 Tables",
            labels={"result": "Cost (CSV)"},
        ),
    log:
        "<results>/logs/tables/merge_costs.log",
    benchmark:
        "<results>/benchmarks/tables/merge_costs.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        images=config["tables"]["carlini_images"],
        steps=config["sampling"]["steps"],
    script:
        "../scripts/tables/merge_costs.py"


rule count_precision:
    input:
        prompts="<results>/dedup/prompts.parquet",
        whitebox=of_attacked("<results>/whitebox/{model}/scores.parquet"),
        blackbox=of_attacked("<results>/blackbox/{model}/scores.parquet"),
        postfilter=of_attacked("<results>/postfilter/{model}/scores.parquet"),
        labels=of_attacked("<results>/labels/{model}/labels.parquet"),
        clusters="<results>/dedup/clusters.parquet",
        code=code_of("tables/count_precision"),
    output:
        table=report(
            "<results>/tables/precision.csv",
            caption="../report/count_precision.rst",
            category="4 Tables",
            labels={"result": "Precision at every depth (CSV)"},
        ),
    log:
        "<results>/logs/tables/count_precision.log",
    benchmark:
        "<results>/benchmarks/tables/count_precision.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=attacked_models(),
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/count_precision.py"


rule compare_authors:
    input:
        labels=[
            f"<results>/labels/{model}/labels.parquet" for model in authors_models()
        ],
        authors=[config["labels"]["authors"][model] for model in authors_models()],
        code=code_of("tables/compare_authors"),
    output:
        table="<results>/tables/agreement.csv",
    log:
        "<results>/logs/tables/compare_authors.log",
    benchmark:
        "<results>/benchmarks/tables/compare_authors.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        models=authors_models(),
        resamples=config["tables"]["resamples"],
        confidence=config["tables"]["confidence"],
        seed=config["tables"]["seed"],
    script:
        "../scripts/tables/compare_authors.py"


rule merge_tables:
    input:
        paper="<results>/tables/table1_vs_paper.csv",
        costs="<results>/tables/costs.csv",
        recall=world_table("recall"),
        confusion=world_table("confusion"),
        evaluation=detector_table("evaluation"),
        kinds=detector_table("kinds"),
        depths=detector_table("depths"),
        code=code_of("tables/merge_tables"),
    output:
        page=report(
            "<results>/tables/tables.html",
            caption="../report/merge_tables.rst",
            category="4 Tables",
            labels={"result": "All tables, to read"},
        ),
    log:
        "<results>/logs/tables/merge_tables.log",
    benchmark:
        "<results>/benchmarks/tables/merge_tables.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    script:
        "../scripts/tables/merge_tables.py"


rule check_results:
    input:
        tests=str(Path(workflow.basedir) / "tests" / "results" / "test_results.py"),
        tables=["<results>/table1.csv", "<results>/tables/costs.csv"],
        rows=[f"<results>/inputs/rows/{shard}.parquet" for shard in input_shards()],
        dedup=[
            f"<results>/dedup/{name}.parquet"
            for name in ("prompts", "clusters", "kept_rows")
        ],
        trained=[
            f"<results>/world/training/{model['model']}/rows.parquet"
            for model in sheet_columns("training", "source")
            if trained_on_kept(model)
        ],
        scores=[
            path
            for stage in ("whitebox", "blackbox", "postfilter")
            for path in of_attacked(f"<results>/{stage}/{{model}}/scores.parquet")
        ],
        labels=[
            f"<results>/labels/{model}/{file}"
            for model in MODELS.index
            for file in ("labels.parquet", "images.zip", "training.zip", "masks.zip")
        ],
        decisions=config["labels"]["decisions"] or [],
        code=code_of("tables/check_results", "tests/results/test_results.py"),
    output:
        report="<results>/checks.txt",
    log:
        "<results>/logs/tables/check_results.log",
    benchmark:
        "<results>/benchmarks/tables/check_results.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        settings={
            "results": config["results"],
            "models": [
                {
                    "model": one["model"],
                    "name": one["name"],
                    "attacked": one["whitebox"] == "yes",
                    "trained_on_kept": trained_on_kept(one),
                    "closed": one["model"] in settings.closed_models(MODELS),
                }
                for one in sheet_columns("name", "whitebox", "training", "source")
            ],
            "shards": list(input_shards()),
            "thresholds": config["labels"]["presets"][config["labels"]["preset"]],
            "seeds": config["labels"]["seeds"],
            "decisions": config["labels"]["decisions"],
            "known": list(ALL_MODELS.index),
        },
    script:
        "../scripts/tables/check_results.py"
