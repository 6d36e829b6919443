"""Columns of the tables of findings, and of numbers over several runs."""

from verbatim.io.contracts.sentences import HIGH, LOW, MODEL, Table

FINDINGS = {
    "tables/findings.csv": Table(
        "tables/findings.csv",
        "a finding of the embedded world and a model, with its goal",
        {
            "finding": "What is claimed, in words.",
            "model": MODEL,
            "value": "Measured number; empty where nothing was measured.",
            "low": LOW,
            "high": HIGH,
            "n": "Number of prompts, images or seeds behind the value; 0 if nothing was measured.",
            "goal": "Condition on the value, in words; the goals are constants of tables/findings.py.",
            "holds": "One of: yes, no, or not measured.",
        },
    ),
    "tables/findings_runs.csv": Table(
        "tables/findings_runs.csv",
        "a finding of the embedded world and a model, in several runs (`make world-check`, `make seeds`)",
        {
            "finding": "What is claimed, in words.",
            "model": MODEL,
            "goal": "Condition on the value, in words, as this run has it.",
            "this_run": "Value with its interval, as text; (no) where the goal is missed.",
            "trained_anew": "The same of the world whose networks were trained anew; or not measured.",
            "other_seeds": "The same of the worlds of tables.seed_runs, in their order, joined by slashes.",
        },
    ),
    "tables/seeds.csv": Table(
        "tables/seeds.csv",
        "a number of the tables above, over several worlds (`make seeds`)",
        {
            "table": "Name of the table without .csv.",
            "model": MODEL,
            "item": "What names the line in its table, joined by slashes.",
            "quantity": "Column of the number.",
            "runs": "Number of worlds that have a value.",
            "mean": "Mean over worlds.",
            "low": "Lower end of Student's t interval over worlds, for shares at least 0; empty for fewer than two.",
            "high": "Upper end of the same interval, for shares at most 1.",
            "min": "Smallest value over worlds.",
            "max": "Largest value over worlds.",
            "n": "What the number is counted over in one world, mean over worlds.",
            "preset": "Presets of the score and of the labels.",
        },
    ),
}
