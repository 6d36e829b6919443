# figures: scores, labels and images -> the paper's kind of figures (Webster 2023), PNG and PDF.
#
# INPUTS   <results>/tables/*.csv; of every model <results>/labels/{model}/{labels.parquet,images.zip,training.zip,masks.zip}
#          and <results>/blackbox/{model}/images.parquet
# OUTPUTS  <results>/figures/triples     one-step | generated | training picture | mask, a few of every model
#          <results>/figures/precision   precision against copies found: DCS, ECS, ECS+Carlini
#          <results>/figures/histogram   DCS of planted, held-out and repeated captions   (embedded world)
#          <results>/figures/syntheses   what is drawn for prompts that nobody picked     (embedded world)
#          <results>/figures/recall      found of planted by number of copies             (embedded world)


rule plot_triples:
    input:
        labels=labels_of_models,
        images=[f"<results>/labels/{model}/images.zip" for model in MODELS.index],
        training=[f"<results>/labels/{model}/training.zip" for model in MODELS.index],
        masks=[f"<results>/labels/{model}/masks.zip" for model in MODELS.index],
        one_step=of_attacked("<results>/blackbox/{model}/images.parquet"),
        code=code("images", "figures/grid", "figures/style", "figures/triples"),
    output:
        png=report(
            "<results>/figures/triples.png",
            caption="../report/plot_triples.rst",
            category="Figures",
        ),
        pdf="<results>/figures/triples.pdf",
    log:
        "<results>/logs/figures/plot_triples.log",
    benchmark:
        "<results>/benchmarks/figures/plot_triples.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=names_of(MODELS.index),
        attacked=attacked_models(),
        seed=config["blackbox"]["seeds"][0],
        examples=config["figures"]["examples"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_triples.py"


rule plot_precision:
    input:
        table="<results>/tables/precision.csv",
        code=code("figures/precision", "figures/style"),
    output:
        png=report(
            "<results>/figures/precision.png",
            caption="../report/plot_precision.rst",
            category="Figures",
        ),
        pdf="<results>/figures/precision.pdf",
    log:
        "<results>/logs/figures/plot_precision.log",
    benchmark:
        "<results>/benchmarks/figures/plot_precision.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=names_of(attacked_models()),
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_precision.py"


rule plot_histogram:
    input:
        scores="<results>/tables/detectors.csv",
        evaluation="<results>/tables/evaluation.csv",
        code=code("figures/histogram", "figures/style"),
    output:
        png=report(
            "<results>/figures/histogram.png",
            caption="../report/plot_histogram.rst",
            category="Figures",
        ),
        pdf="<results>/figures/histogram.pdf",
    log:
        "<results>/logs/figures/plot_histogram.log",
    benchmark:
        "<results>/benchmarks/figures/plot_histogram.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=names_of(attacked_models()),
        column=f"dcs_{config['whitebox']['preset']}",
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_histogram.py"


rule plot_syntheses:
    input:
        truth="<results>/world/truth.parquet",
        pictures="<results>/world/pictures.npy",
        prompts="<results>/tables/detectors.csv",
        images=of_attacked("<results>/labels/{model}/images.zip"),
        one_step=of_attacked("<results>/blackbox/{model}/images.parquet"),
        code=code("images", "figures/grid", "figures/style", "figures/syntheses"),
    output:
        png=report(
            "<results>/figures/syntheses.png",
            caption="../report/plot_syntheses.rst",
            category="Figures",
        ),
        pdf="<results>/figures/syntheses.pdf",
    log:
        "<results>/logs/figures/plot_syntheses.log",
    benchmark:
        "<results>/benchmarks/figures/plot_syntheses.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=names_of(attacked_models()),
        column=f"dcs_{config['whitebox']['preset']}",
        one_step_seed=config["blackbox"]["seeds"][0],
        seeds=config["labels"]["seeds"][: config["figures"]["unpicked_seeds"]],
        examples=config["figures"]["unpicked"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_syntheses.py"


rule plot_recall:
    input:
        table="<results>/tables/recall.csv",
        code=code("figures/recall", "figures/style"),
    output:
        png=report(
            "<results>/figures/recall.png",
            caption="../report/plot_recall.rst",
            category="Figures",
        ),
        pdf="<results>/figures/recall.pdf",
    log:
        "<results>/logs/figures/plot_recall.log",
    benchmark:
        "<results>/benchmarks/figures/plot_recall.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=names_of(MODELS.index),
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/figures/plot_recall.py"
