# Helper functions of the study: its points and runs, their files, and what is looked at before any work; no rules.
def study_seed(name):
    """Input of a study's random numbers: the study seed, and different for each use of it."""
    return lambda wildcards: zlib.crc32(f"{wildcards.seed}/{name}".encode())


def point_settings(wildcards):
    """What decides a point's training: its line of the sheet, without its name."""
    return ALL_POINTS[wildcards.point].settings()


def used_constants(block, name):
    """The entries of `study.mitigations` or `study.inference` that a mitigation reads, so that no other redoes it."""
    entries = config["study"][block]
    return {key: entries[key] for key in grid.MITIGATION_CONSTANTS[block].get(name, [])}


def study_runs():
    """Every run of the study: (point, seed, defence)."""
    study = config["study"]
    return grid.list_runs(POINTS, study["seeds"], study["defended"], study["defences"])


def of_study_runs(name):
    """This file of every run of the study."""
    return [
        f"<results>/study/runs/{point}/{seed}/{defence}/{name}"
        for point, seed, defence in study_runs()
    ]


def of_study_points(name):
    """This file of every trained model of the study, shadow models too."""
    return [
        f"<results>/study/points/{point}/{seed}/{name}"
        for point, seed in grid.list_trainings(POINTS, config["study"]["seeds"])
    ]


def detector_files(wildcards):
    """The files of the copy detectors, each looked at before any work is done for it."""
    return checked_detectors()


@functools.cache
def checked_detectors():
    from verbatim.study import specs

    try:
        return specs.check_descriptors(config["study"]["measures"])
    except specs.DescriptorError as err:
        raise WorkflowError(str(err))


def dataset_points(wildcards):
    """Settings of the points that were trained for a study seed."""
    runs = [(point, seed) for point, seed, defence in study_runs() if defence == "none"]
    return {
        point: POINTS[point].settings()
        for point, seed in runs
        if seed == int(wildcards.seed)
    }


def of_dataset_points(pattern):
    """Input function: this file of every point that was trained for a study seed."""
    return lambda wildcards: [
        pattern.replace("{point}", point).replace("{seed}", wildcards.seed)
        for point in dataset_points(wildcards)
    ]


USERS = config["study"]["users"]
if USERS["point"] not in ALL_POINTS:
    raise WorkflowError(
        f"config: study.users.point is {USERS['point']!r}, which is no point of {config['study']['points']}"
    )
USERS_POINT = f"<results>/study/points/{USERS['point']}/{config['study']['seeds'][0]}"


def users_prompts(wildcards):
    """The file of users' prompts, looked at before any work: the world's own, or the one that is given."""
    if USERS["prompts"] == "world":
        return "<results>/study/users/metadata.parquet"
    from verbatim.study import users

    try:
        users.check_prompts(USERS["prompts"])
    except users.UsersError as err:
        raise WorkflowError(str(err))
    return USERS["prompts"]


def of_datasets(name):
    """This file of the data sets of every study seed."""
    seeds = {seed for _, seed, _ in study_runs()}
    return [f"<results>/study/dataset/{seed}/{name}" for seed in sorted(seeds)]


def all_study_measures():
    """Every table of measures of the study, beside the runs' own."""
    return [
        *of_datasets("measures.parquet"),
        "<results>/study/users/measures.parquet",
    ]


def shadow_points():
    """Shadow models of this run; each is trained for the first study seed."""
    return [name for name, point in POINTS.items() if point.half >= 0]


def of_shadows(name):
    """This file of every shadow model."""
    seed = config["study"]["seeds"][0]
    return [
        f"<results>/study/points/{point}/{seed}/{name}" for point in shadow_points()
    ]


def relative_runs():
    """(point, seed) of the models without captions."""
    return [
        (point, seed)
        for point, seed, _ in study_runs()
        if POINTS[point].conditioning == "none" and POINTS[point].half < 0
    ]


def of_relative(pattern):
    """This file of every model without captions."""
    return [pattern.format(point=point, seed=seed) for point, seed in relative_runs()]


def carlini_measures():
    """Numbers of the rules below, those that this run's points allow."""
    files = []
    if shadow_points():
        files += ["<results>/study/membership/measures.parquet"]
        files += ["<results>/study/inpainting/measures.parquet"]
    if relative_runs():
        files += ["<results>/study/relative/measures.parquet"]
    return files


def plain_point():
    """The point that is as `study.base` says, else the first with captions: whose images are shown one by one."""
    told = [
        point
        for point in POINTS.values()
        if point.conditioning != "none" and point.half < 0
    ]
    plain = [
        point.point for point in told if point.ddf == 1 and point.mitigation == "none"
    ]
    return (plain or [point.point for point in told] or list(POINTS))[0]


def every_point():
    """All points of the sheet, those of this run or not, as plain records."""
    return [{"point": name, **point.settings()} for name, point in ALL_POINTS.items()]


def all_study():
    """What the study comes to: tables, page, figures."""
    return [
        "<results>/study/claims.csv",
        "<results>/study/robustness.csv",
        "<results>/study/table1.csv",
        "<results>/study/claims.html",
    ]
