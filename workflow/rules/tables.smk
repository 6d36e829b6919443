# tables: labels of all models -> Table 1, what it cost, how precise it was. Webster 2023, Table 1.
# What needs the truth of an embedded world is in tables_truth.smk.
#
# INPUTS   <results>/labels/{model}/labels.parquet, scores of whitebox, blackbox and postfilter, cost.parquet of every job
# OUTPUTS  in <results>/
#          of count_labels
#            table1.csv                       the paper's Table 1 of the selected models
#          of compare_paper
#            tables/table1_vs_paper.csv       ours beside the paper's
#          of merge_costs
#            tables/costs.csv                 network rows a stage and model, against 500 full generations a prompt
#          of count_precision
#            tables/precision.csv             precision at every depth of DCS, ECS, ECS+Carlini
#          of compare_criteria, where labels.copies names a copy descriptor
#            tables/criteria.csv              its verdicts beside the labels; both against the truth where there is one
#          of compare_authors, where labels.authors names theirs
#            tables/agreement.csv             our labels against the authors'
#          of compare_asked, for rows that are asked over HTTP for the prompts of another row (candidates same:MODEL)
#            tables/asked.csv                 their images and labels beside those of that row
#          of merge_tables
#            tables/tables.html               the tables on one page, to read
#          of check_results
#            checks.txt                       what was checked on these files


localrules:
    compare_paper,
    merge_costs,
    merge_tables,


rule count_labels:
    input:
        labels=run.of_labels("labels.parquet"),
        clusters="<results>/dedup/clusters.parquet",
        decisions=run.decisions,
        code=code_of("tables/count_labels"),
    output:
        table=shown("<results>/table1.csv", "Table 1 (CSV)", TABLE1, "count_labels"),
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
        models=run.models.table_rows,
        known=run.models.known,
    script:
        "../scripts/tables/count_labels.py"


rule compare_paper:
    input:
        table1="<results>/table1.csv",
        paper=config["tables"]["paper_values"],
        code=code_of("tables/compare_paper"),
    output:
        table=shown(
            "<results>/tables/table1_vs_paper.csv",
            "Beside the paper's (CSV)",
            TABLE1,
            "compare_paper",
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
        references=run.models.references,
    script:
        "../scripts/tables/compare_paper.py"


rule merge_costs:
    input:
        costs=run.costs,
        code=code_of("tables/merge_costs"),
    output:
        table=shown("<results>/tables/costs.csv", "Cost (CSV)", TABLES, "merge_costs"),
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
        whitebox=run.scores("whitebox"),
        blackbox=run.scores("blackbox"),
        postfilter=run.scores("postfilter"),
        labels=run.of_attacked("<results>/labels/{model}/labels.parquet"),
        clusters="<results>/dedup/clusters.parquet",
        code=code_of("tables/count_precision"),
    output:
        table=shown(
            "<results>/tables/precision.csv",
            "Precision at every depth (CSV)",
            TABLES,
            "count_precision",
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
        models=run.models.attacked,
        confidence=config["tables"]["confidence"],
    script:
        "../scripts/tables/count_precision.py"


rule compare_authors:
    input:
        labels=run.of_models(
            "<results>/labels/{model}/labels.parquet", run.models.labelled_by_authors
        ),
        authors=run.models.authors_labels,
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
        **run.pick("tables", "resamples confidence seed"),
        models=run.models.labelled_by_authors,
    script:
        "../scripts/tables/compare_authors.py"


rule compare_asked:
    input:
        labels=run.models.of_twins("<results>/labels/{model}/labels.parquet", False),
        direct_labels=run.models.of_twins(
            "<results>/labels/{model}/labels.parquet", True
        ),
        images=run.models.of_twins("<results>/labels/{model}/images.zip", False),
        direct_images=run.models.of_twins("<results>/labels/{model}/images.zip", True),
        code=code_of("tables/compare_asked"),
    output:
        table="<results>/tables/asked.csv",
    log:
        "<results>/logs/tables/compare_asked.log",
    benchmark:
        "<results>/benchmarks/tables/compare_asked.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(60),
    params:
        pairs=run.models.twins,
    script:
        "../scripts/tables/compare_asked.py"


rule merge_tables:
    input:
        paper="<results>/tables/table1_vs_paper.csv",
        costs="<results>/tables/costs.csv",
        recall=run.truth_table("recall"),
        confusion=run.truth_table("confusion"),
        criteria=run.criteria,
        separation=run.separation,
        evaluation=run.detector_table("evaluation"),
        scores=run.detector_table("scores"),
        kinds=run.detector_table("kinds"),
        depths=run.detector_table("depths"),
        template=[
            workflow.source_path(f"../report/{name}")
            for name in ("tables/page.html", "tables.css")
        ],
        code=code_of("tables/merge_tables"),
    output:
        page=shown(
            "<results>/tables/tables.html",
            "All tables, to read",
            TABLES,
            "merge_tables",
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


rule compare_criteria:
    input:
        truth=run.of_world("<results>/world/truth.parquet"),
        labels=run.of_labels("labels.parquet"),
        neighbours=run.of_labels("copy_neighbours.parquet"),
        clip=run.of_labels("neighbours.parquet"),
        code=code_of("tables/compare_criteria"),
    output:
        table=shown(
            "<results>/tables/criteria.csv",
            "Labels and a copy descriptor (CSV)",
            TABLES,
            "compare_criteria",
        ),
    log:
        "<results>/logs/tables/compare_criteria.log",
    benchmark:
        "<results>/benchmarks/tables/compare_criteria.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        **run.pick("tables", "resamples confidence seed"),
        models=run.models.all,
        descriptor=run.copies.name,
        thresholds=config["labels"]["copies"]["thresholds"],
    script:
        "../scripts/tables/compare_criteria.py"


rule check_results:
    input:
        tests=str(Path(workflow.basedir) / "tests" / "results" / "test_results.py"),
        tables=["<results>/table1.csv", "<results>/tables/costs.csv"],
        rows=run.data.rows,
        prompts="<results>/dedup/prompts.parquet",
        clusters="<results>/dedup/clusters.parquet",
        kept_rows="<results>/dedup/kept_rows.parquet",
        trained=run.trained_rows,
        scores=run.all_scores,
        labels=run.of_labels("labels.parquet"),
        images=run.of_labels("images.zip"),
        training=run.of_labels("training.zip"),
        masks=run.of_labels("masks.zip"),
        decisions=run.decisions,
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
        settings=run.check_settings,
    script:
        "../scripts/tables/check_results.py"
