"""Tables of the stages world, inputs and dedup."""

from verbatim.io.contracts.sentences import (
    CAPTION,
    EXTRA,
    IMAGE_ID,
    OWN_ROW,
    PROMPT_ID,
    REASON,
    ROW,
    Table,
)

LOW_ROW = "Lower of the two training rows."
HIGH_ROW = "Higher of the two training rows."
CLUSTER = "Number of the cluster of near-duplicates: its lowest row."
WORLD = {
    "images": Table(
        "world/drawings.parquet",
        "a drawing that the world can show",
        {
            "image_id": IMAGE_ID,
            "code": "Unicode code points of the OpenMoji drawing, in hexadecimal.",
            "caption": "Name of the drawing, which captions are built from.",
            "group": "Page of 256 Unicode code points of the drawing, in hexadecimal; related drawings share it.",
            "family": "Unicode code points without skin tone, in hexadecimal; drawings that differ in the skin tone alone share it.",
            "n_words": "Number of words of the caption.",
        },
    ),
    "truth": Table(
        "world/truth.parquet",
        "a planted training row, or a held-out pair of image and caption",
        {
            "row": "Global number of the training image; -1 for a held-out pair.",
            "image_id": "Number of the planted image, from 0; copies of one image share it.",
            "caption": CAPTION,
            "kind": "Kind of planting: full, image_only, near, template, single, repeated, placeholder, held_out, or "
            "paraphrase (held out, but named nearly like a duplicated image).",
            "count": "How often the image occurs in the training set, or for repeated the caption; 0 if held out.",
            "copy": "Number of this copy among the copies of its image, from 0.",
            "distortion": "Change of this copy: none, or the name of the distortion of a near-duplicate.",
            "group": "Page of 256 Unicode code points of the drawing, in hexadecimal; related drawings share it.",
            "family": "Name of the template family; empty for images of no family.",
            "match": "Planted image_id that a held-out image is matched to, of whose kind it is a negative; -1 otherwise.",
        },
    ),
    "extra_prompts": Table(
        "world/extra_prompts.parquet",
        "a prompt that is judged beside the selected ones",
        {"caption": CAPTION},
    ),
    "pair_similarities": Table(
        "world/pairs.parquet",
        "a copy detector and a pair of images that no training has seen",
        {
            "descriptor": "Name of the detector: that of labels.copies, or clip.",
            "normalized": "Whether the score is normalized: lower by the query's mean similarity to the background images "
            "that are nearest to it. Thresholds mean nothing for it.",
            "pair": "Kind of the pair: augmented or distorted (two views of one image), template (two images of one family), "
            "same_drawing (two scenes with one drawing), or unrelated (two scenes).",
            "number": "Number of the pair among those of its kind, from 0.",
            "drawing": "Number of the first image's drawing among the held-out ones, from 0.",
            "similarity": "Dot product of the two unit vectors, -1 to 1, or the normalized score, -2 to 2.",
        },
    ),
    "training_log": Table(
        "world/models/{model}/training_log.parquet, sweep/points/{point}/{seed}/training_log.parquet",
        "an optimizer step of one training",
        {
            "step": "Number of the optimizer step, from 0.",
            "loss": "Training loss of the step.",
            "learning_rate": "Learning rate of the step.",
            "seconds": "Wall time since the training started or was resumed, in seconds.",
        },
    ),
}
INPUTS = {
    "rows": Table(
        "inputs/rows/{shard}.parquet",
        "a training row",
        {
            "row": ROW,
            "url": "Address of the image; empty if the data set has none.",
            "caption": CAPTION,
            "width": "Width of the original image in pixels; -1 if unknown.",
            "height": "Height of the original image in pixels; -1 if unknown.",
            "archive": "Path of the tar that holds the image; empty if no archive has it.",
            "member": "Name of the image in its archive; empty if no archive has it.",
            "status": "One of: ok, bad_embedding (the row is left out); or bad_caption (the image takes part in the search for "
            "duplicates, and its caption is never a prompt).",
            "reason": REASON,
        },
    ),
    "prompt_sets": Table(
        "inputs/prompt_sets.parquet",
        "a row of a published prompt set, or a negative that was matched to one of its positives",
        {
            "set": "Name of the set, as in prompt_sets.sets.",
            "side": "One of: positive (published as memorized), or negative.",
            "source": "One of: published; same_template (a caption of the training data that shares the positive's template and "
            "has another item); same_subject (one of similar length with the most telling words in common).",
            "prompt_id": PROMPT_ID,
            "caption": CAPTION,
            "match": "Key of the positive that the negative was matched to; -1 for a published row.",
            "overlap": "Jaccard index of the words of both, 0 to 1; NaN for a published row.",
            "images": "Published addresses of the prompt's images, one on each line; empty if there are none.",
            "type": "Published type, such as VM, TM, MV, RV, TV or N; empty if there is none.",
            "file": "Path of the file that the row was read from; empty for a matched negative.",
            "place": "Line of a text file or row of a Parquet file; -1 for a matched negative.",
            "status": "One of: ok, repeated (the same text stands before it on its side), both (the text is on both sides), "
            "or unusable. Rows that are not ok take part in no comparison.",
            "reason": REASON,
        },
    ),
}
DEDUP = {
    "pairs": Table(
        "dedup/pairs/{shard}.parquet",
        "two rows that are near-duplicates or template relatives; a search of an index may find a pair in the shards of both rows",
        {
            "row_a": LOW_ROW,
            "row_b": HIGH_ROW,
            "similarity": "Cosine similarity of the raw embeddings, -1 to 1.",
        },
    ),
    "copies": Table(
        "dedup/copies.parquet",
        "a row whose embedding equals that of a lower row bit by bit",
        {"row": ROW, "first": "Lowest row with the same embedding."},
    ),
    "clusters": Table(
        "dedup/clusters.parquet",
        "a row in a cluster of at least two rows",
        {"row": ROW, "cluster": CLUSTER},
    ),
    "cluster_stats": Table(
        "dedup/cluster_stats.parquet",
        "a cluster",
        {
            "cluster": CLUSTER,
            "size": "Number of rows in the cluster, at least 2.",
            "n_captions": "Number of distinct captions in the cluster.",
            "share_equal_captions": "Share of the rows that have the most frequent caption, in (0, 1]: multimodal duplication.",
            "caption": "Most frequent caption of the cluster.",
            "row": "Lowest row with this caption.",
        },
    ),
    "cluster_sizes": Table(
        "dedup/cluster_sizes.parquet",
        "a row in a cluster",
        {"row": ROW, "cluster": CLUSTER, "size": "Number of rows in the cluster, at least 2."},
    ),
    "histograms": Table(
        "dedup/histograms.parquet",
        "a bin of cluster sizes and of shares of equal captions (Webster 2023, Fig. 4)",
        {
            "size_low": "Smallest cluster size of the bin, included.",
            "size_high": "Largest cluster size of the bin, included.",
            "share_low": "Lower end of the share of equal captions, included only where it equals share_high.",
            "share_high": "Upper end of the share of equal captions, included.",
            "clusters": "Number of clusters in the bin.",
            "rows": "Number of rows in these clusters.",
        },
    ),
    "templates": Table(
        "dedup/templates/{shard}.parquet",
        "a pair that may be of one template (target `templates`)",
        {
            "row_a": LOW_ROW,
            "row_b": HIGH_ROW,
            "similarity": "Cosine similarity of the raw embeddings, -1 to 1.",
            "distance": "RMSE of the two images, 0 to 1; NaN where they were not compared.",
            "shared": "Share of the image that agrees in both, 0 to 1; NaN where they were not compared.",
            "regions": "Number of connected regions that differ; -1 where they were not compared.",
            "template": "Whether the two images differ in one region only.",
            "status": "One of: ok, or not_checked (an image is missing or broken).",
            "reason": REASON,
        },
    ),
    "kept_rows": Table(
        "dedup/kept_rows.parquet", "a row that the deduplicated training set keeps", {"row": ROW}
    ),
    "prompts": Table(
        "dedup/prompts.parquet",
        "a prompt",
        {
            "prompt_id": PROMPT_ID,
            "caption": CAPTION,
            "row": OWN_ROW,
            "cluster": "Number of the row's cluster: its lowest row; -1 if the row is in none.",
            "cluster_size": "Number of rows in the cluster; 1 if the row is in none, 0 if there is no row.",
            "caption_count": "Number of rows with this caption; 0 if the data set does not have it.",
            "share_equal_captions": "Share of the cluster's rows that have its most frequent caption, in (0, 1]; 1 if the row is in no cluster, 0 if there is no row.",
            "extra": EXTRA,
            "rank": "Place in the selection, from 0: first by duplication, then the extra prompts.",
        },
    ),
}
TABLES = {"world": WORLD, "inputs": INPUTS, "dedup": DEDUP}
