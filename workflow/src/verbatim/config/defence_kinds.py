"""Every defence by what it changes."""

# defence -> what it changes between a prompt and a generation
CHANGES = {
    "none": "nothing", "gni": "embedding", "rt": "words", "cwr": "words", "rna": "words", "wen": "embedding",
    "noise": "noise", "sail": "noise", "prss": "guidance", "padding": "tokens", "nemo": "weights",
}  # fmt: skip
# what a prompt embedding meets that is handed in instead of a prompt; what changes words or tokens never sees it, and PRSS has no
# other wording of it
MEET_EMBEDDINGS = ("nothing", "embedding", "noise", "weights")
