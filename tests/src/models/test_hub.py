"""A hub cache as the real client fills it, by the very command that is printed, from a stand-in hub."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import COMMIT, HubServer

from verbatim.models.hub import cache_folder, find_snapshot
from verbatim.models.load import (
    ModelFolderError,
    check_folder,
    find_model,
    list_files,
    load_denoiser,
    model_state,
)

NAME = "someone/tiny"
ROOT = Path(__file__).resolve().parents[3]
PICKLES = ("unet/diffusion_pytorch_model.bin", "text_encoder/pytorch_model.bin", "v1-pruned.ckpt")


@pytest.fixture(scope="module")
def hub(tiny_sd, tmp_path_factory):
    """A published repository: safetensors, pickles beside them, a whole checkpoint, a card."""
    folder = shutil.copytree(tiny_sd, tmp_path_factory.mktemp("hub") / "repository")
    for name in PICKLES:
        (folder / name).write_bytes(b"\x80\x04.")
    (folder / "v1-pruned.safetensors").write_bytes(b"\0" * 99)
    (folder / "README.md").write_text("# tiny")
    server = HubServer(folder, NAME)
    yield server
    server.close()


def printed(family="sd", revision=COMMIT):
    """The command of the message for a model that is not in the cache."""
    with pytest.raises(ModelFolderError) as err:
        find_model(NAME, family, revision)
    return str(err.value).split("fetch it first: ")[1]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "a cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def fetched(hub, tmp_path_factory):
    """A cache filled by the printed command; not to be written to."""
    folder = tmp_path_factory.mktemp("fetched") / "hub"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_CACHE", str(folder))
        done = hub.run(printed(), folder.parent / "home")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(fetched, cache):
    return shutil.copytree(fetched, cache, symlinks=True)


def repo(cache):
    return cache / "models--someone--tiny"


@pytest.mark.slow
def test_the_printed_command_fetches_what_is_loaded_and_nothing_else(fetched, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(fetched))
    folder = find_model(NAME, "sd", COMMIT)
    assert folder == repo(fetched) / "snapshots" / COMMIT
    there = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert there == list_files(folder, "sd")
    assert "unet/config.json" in there
    assert "tokenizer/tokenizer.json" in there
    check_folder(folder, "sd")
    assert load_denoiser(NAME, "sd", "cpu", revision=COMMIT).shape == (4, 8, 8)


@pytest.mark.slow
def test_a_cache_without_the_clients_newer_list_of_files_is_read_as_well(copy):
    assert (repo(copy) / "trees").is_dir(), (
        "the locked client writes it; clients before 1.22 did not"
    )
    shutil.rmtree(repo(copy) / "trees")
    assert load_denoiser(NAME, "sd", "cpu", revision=COMMIT).shape == (4, 8, 8)


@pytest.mark.slow
def test_a_whole_snapshot_with_pickles_beside_safetensors_is_loaded_without_them(
    hub, cache, tmp_path
):
    done = hub.run(printed().split(" --include")[0], tmp_path / "home")
    assert done.returncode == 0, done.stderr
    folder = find_model(NAME, "sd", COMMIT)
    for name in PICKLES:
        (folder / name).resolve(strict=True).chmod(0)
    check_folder(folder, "sd")
    assert load_denoiser(folder, "sd", "cpu").size == 32
    assert not {*PICKLES, "v1-pruned.safetensors"} & set(list_files(folder, "sd"))


@pytest.mark.slow
def test_a_branch_is_the_commit_that_it_had_when_it_was_fetched(hub, cache, tmp_path):
    done = hub.run(printed(revision="main"), tmp_path / "home")
    assert done.returncode == 0, done.stderr
    folder = repo(cache) / "snapshots" / COMMIT
    for revision in ("main", None, COMMIT):
        assert find_snapshot(NAME, revision) == folder
    with pytest.raises(ModelFolderError, match=rf"has {COMMIT} of it, but not revision fp16"):
        find_snapshot(NAME, "fp16")


@pytest.mark.slow
def test_what_an_interrupted_fetch_left_out_is_named_with_the_command_that_ends_it(
    hub, copy, tmp_path
):
    folder = find_model(NAME, "sd", COMMIT)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    weights.unlink()
    with pytest.raises(ModelFolderError) as err:
        load_denoiser(NAME, "sd", "cpu", revision=COMMIT)
    assert "unet/diffusion_pytorch_model.safetensors is missing" in str(err.value)
    done = hub.run(str(err.value).split("fetch what is missing: ")[1], tmp_path / "home")
    assert done.returncode == 0, done.stderr
    check_folder(folder, "sd")


def test_a_link_to_a_blob_that_was_deleted_is_named(copy):
    folder = find_model(NAME, "sd", COMMIT)
    os.remove((folder / "vae/config.json").resolve())
    with pytest.raises(ModelFolderError, match=r"vae/config\.json is a link to .*where no file is"):
        check_folder(folder, "sd")


def test_a_cache_that_may_not_be_read_is_not_called_empty(tmp_path, monkeypatch):
    def denied(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", denied)
    with pytest.raises(ModelFolderError, match=r"cannot be read \(Permission denied\)") as err:
        find_snapshot(NAME, COMMIT, tmp_path)
    assert "hf download" not in str(err.value)


def test_the_state_of_a_cached_model_does_not_depend_on_where_the_cache_is(
    fetched, copy, monkeypatch
):
    here = model_state(NAME, "sd", COMMIT)
    monkeypatch.setenv("HF_HUB_CACHE", str(fetched))
    assert model_state(NAME, "sd", COMMIT) == here
    monkeypatch.setenv("HF_HUB_CACHE", str(copy / "nowhere"))
    assert model_state(NAME, "sd", COMMIT) != here


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"XDG_CACHE_HOME": "/x/cache"},
        {"HF_HOME": "~/hf"},
        {"HF_HOME": "/x/hf", "HF_HUB_CACHE": "$HOME/hub"},
        {"HUGGINGFACE_HUB_CACHE": "/x/old"},
    ],
    ids=lambda env: "-".join(env) or "nothing",
)
def test_the_cache_is_where_the_client_itself_keeps_it(env, monkeypatch):
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert str(cache_folder()) == said.stdout.strip()


def test_a_job_asks_no_network_whatever_the_users_environment_says():
    code = (
        "import sys; sys.path.insert(0, 'workflow/src'); import verbatim.runtime;"
        "from huggingface_hub import constants; print(constants.HF_HUB_OFFLINE)"
    )
    env = os.environ | {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "True"
