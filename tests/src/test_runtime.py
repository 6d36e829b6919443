"""What every job does: log, threads, whole files, progress, and the report of a training."""

import logging
import os
from types import SimpleNamespace

import pytest

from verbatim import runtime
from verbatim.io.records import read_table
from verbatim.io.seals import DamagedError, checked
from verbatim.runtime import (
    TrainingReport,
    model_source,
    progress,
    script,
    write_digest,
    write_text,
)


@pytest.fixture
def smk(tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "9")  # and put back afterwards
    return SimpleNamespace(
        log=[tmp_path / "logs" / "rule.log"],
        threads=1,
        resources=SimpleNamespace(),
        rule="score_x",
        wildcards={"model": "sd1"},
    )


def test_a_job_logs_its_start_and_end_and_uses_the_rules_threads(smk, capsys):
    with script(smk) as log:
        log.info("half way")
        assert os.environ["OMP_NUM_THREADS"] == "1"
    text = smk.log[0].read_text()
    assert "score_x {'model': 'sd1'} starts" in text
    assert "half way" in text
    assert "score_x done in" in text
    assert "half way" in capsys.readouterr().err


def test_a_failed_job_has_the_message_on_the_terminal_and_the_traceback_in_its_log(smk, capsys):
    with pytest.raises(ValueError, match="row 7"), script(smk):
        raise ValueError("row 7 is wrong")
    log, terminal = smk.log[0].read_text(), capsys.readouterr().err
    assert "Traceback" in log
    assert "score_x failed: row 7 is wrong" in log
    assert "score_x failed: row 7 is wrong" in terminal
    assert "Traceback" not in terminal


def test_a_job_leaves_no_handler_behind(smk):
    before = list(logging.getLogger("verbatim").handlers)
    for _ in range(2):
        with script(smk):
            pass
    assert logging.getLogger("verbatim").handlers == before
    assert smk.log[0].read_text().count("starts") == 1


def test_a_file_is_whole_or_not_there(tmp_path):
    write_text(tmp_path / "a" / "t.txt", "é\n")
    assert (tmp_path / "a" / "t.txt").read_text(encoding="utf-8") == "é\n"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["t.txt"]


def test_a_table_of_text_has_a_checksum_and_is_not_read_once_it_was_changed(tmp_path):
    write_text(tmp_path / "t.csv", "a\n0.25\n")
    assert checked(tmp_path / "t.csv").read_text() == "a\n0.25\n"
    (tmp_path / "t.csv").write_text("a\n0.35\n")
    with pytest.raises(DamagedError, match=r"t\.csv: damaged"):
        checked(tmp_path / "t.csv")
    write_text(tmp_path / "t.csv", "a\n0.35\n")
    assert checked(tmp_path / "t.csv").read_text() == "a\n0.35\n"


def test_a_job_whose_log_cannot_be_written_still_says_what_is_wrong(smk, capsys):
    """As on a full disk: the error is that of the output, not that of the log."""

    def fill_the_disk(log):
        file = log.handlers[-1].stream.streams[1]
        os.dup2(os.open("/dev/full", os.O_WRONLY), file.fileno())
        raise OSError("no room for a.zip")

    with pytest.raises(OSError, match="no room"), script(smk) as log:
        fill_the_disk(log)
    assert "score_x failed: no room for a.zip" in capsys.readouterr().err


@pytest.mark.parametrize("items", [range(4), iter(range(4))], ids=["counted", "stream"])
def test_progress_passes_all_on_and_says_how_far_it_is(smk, items):
    with script(smk):
        assert list(progress(items, "prompts", every=0.0)) == [0, 1, 2, 3]
    lines = [line for line in smk.log[0].read_text().splitlines() if "prompts" in line]
    assert len(lines) == 4
    assert ("4/4" in lines[-1]) == isinstance(items, range)


def test_a_model_is_loaded_from_its_folder_or_by_its_name_in_the_sheet():
    params = SimpleNamespace(model={"source": "owner/name"})
    job = SimpleNamespace(input={"model": "models/sd1/model_index.json"}, params=params)
    assert model_source(job) == "models/sd1"
    job.input = {}
    assert model_source(job) == "owner/name"


def test_the_device_can_be_named(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("VERBATIM_DEVICE", "cpu")
    assert runtime.device() == "cpu"


def test_a_training_report_keeps_the_losses_and_deletes_the_checkpoint(smk, tmp_path):
    checkpoint = tmp_path / "c.safetensors"
    checkpoint.touch()
    with script(smk):
        report = TrainingReport("sd1", 5)
        for step in range(3, 5):
            report(step, 0.5 / step, 1e-3, float(step))
        report.write(tmp_path / "log.parquet", checkpoint)
    assert list(read_table(tmp_path / "log.parquet", "training_log").step) == [3, 4]
    assert not checkpoint.exists()
    text = smk.log[0].read_text()
    assert "sd1: resumed at step 3" in text
    assert "step 5/5" in text


def test_the_digest_of_a_models_weights_changes_with_them_and_not_with_its_folder(tmp_path):
    for folder, weights in [("a", b"1"), ("b", b"1"), ("c", b"2")]:
        (tmp_path / folder / "unet").mkdir(parents=True)
        (tmp_path / folder / "unet" / "w.safetensors").write_bytes(weights)
        (tmp_path / folder / "model_index.json").write_text(folder)
        write_digest(tmp_path / f"{folder}.sha256", tmp_path / folder)
    one, same, other = ((tmp_path / f"{folder}.sha256").read_text() for folder in "abc")
    assert one == same != other
    assert one.endswith("  unet/w.safetensors\n")
