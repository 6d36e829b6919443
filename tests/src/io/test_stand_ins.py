"""What lies in a file's place is told by name, wherever a user's file is opened, and is never read as the file."""

from __future__ import annotations

import re

import pytest

from verbatim.inputs.archives import first_images
from verbatim.inputs.layouts import InputError
from verbatim.inputs.manifest import read_footer, read_header
from verbatim.io.formats import name_format
from verbatim.io.images import ImageError, decode_image
from verbatim.io.parquet_text import UserTableError
from verbatim.io.user_tables import CAPTIONS, read_user_table
from verbatim.models.files import check_file, weights_files
from verbatim.models.hub import ModelFolderError

# as `git lfs pointer` writes it
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
PAGES = {
    "a page": b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n",
    "a page with a mark": b"\xef\xbb\xbf\n <html lang=en>\n",
    "an answer of a store": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
}
PLACES = {"a pointer": (POINTER, "Git LFS")} | {
    name: (data, "page of a website") for name, data in PAGES.items()
}


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("what", PLACES)
def test_a_list_of_prompts_is_not_read_of_what_lies_in_its_place(tmp_path, what, suffix):
    data, told = PLACES[what]
    path = tmp_path / f"prompts{suffix}"
    path.write_bytes(data)
    with pytest.raises(UserTableError, match=f"{re.escape(str(path))}: this is .*{told}"):
        read_user_table(path, CAPTIONS, ["caption"], lines_of="caption")


def test_prompts_that_speak_of_pages_and_pointers_are_prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    texts = ["a page of HTML: <html>", "version https://git-lfs.github.com/spec/v1"]
    path.write_text("\n".join(texts) + "\n")
    read = read_user_table(path, CAPTIONS, ["caption"], lines_of="caption")
    assert read.frame["caption"].tolist() == texts


@pytest.mark.parametrize("what", PLACES)
def test_tars_embeddings_and_metadata_are_told_from_what_lies_in_their_place(tmp_path, what):
    data, told = PLACES[what]
    for name, read in (("0.tar", first_images), ("0.npy", read_header), ("0.parquet", read_footer)):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(InputError, match=told):
            read(path)


def test_weights_and_configs_that_were_not_fetched_are_told_before_they_are_opened(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/diffusion_pytorch_model.safetensors").write_bytes(POINTER)
    with pytest.raises(ModelFolderError, match="Git LFS"):
        weights_files(tmp_path, "unet", "diffusion_pytorch_model")
    (tmp_path / "unet/config.json").write_bytes(PAGES["a page"])
    with pytest.raises(ModelFolderError, match="page of a website"):
        check_file(tmp_path, "unet/config.json")


def test_an_image_that_was_not_fetched_is_missing_by_its_name():
    assert name_format(POINTER) == "a Git LFS pointer"
    with pytest.raises(ImageError, match="Git LFS pointer"):
        decode_image(POINTER)
