"""Every defence by what it changes, and how a model behind one is asked."""

# defence -> what it changes between a prompt and a generation
CHANGES = {
    "none": "nothing", "gni": "embedding", "rt": "words", "cwr": "words", "rna": "words", "wen": "embedding",
    "noise": "noise", "sail": "noise", "prss": "guidance", "padding": "tokens", "nemo": "weights",
}  # fmt: skip
# what a prompt embedding meets that is handed in instead of a prompt; what changes words or tokens never sees it, and PRSS has no
# other wording of it
MEET_EMBEDDINGS = ("nothing", "embedding", "noise", "weights")
# how a model is asked, beside with adversarial embeddings, which are named by where their search started
PROMPT, OTHER_SEEDS = "prompt", "other seeds"
