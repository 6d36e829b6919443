"""Tables of the stage audit."""

from verbatim.io.contracts.sentences import CAPTION, HIGH, IMAGE_ID, LOW, PROMPT_ID, SEED, Table

IMAGE = "Number of the image in the folder, in the order of the names of files, from 0; the archive member is {image}.png."
FILE = "Name of the file, as a path in the folder; of a member of an archive the archive, an exclamation mark and the key."
OWNER = "Whose image it is, as the user's table says; empty if it does not."
CONTROL = "Whether the user's table says that the model cannot have seen the image."
P = "The p-value: the share of unrelated images that come as near, one added to both counts; NaN if there are too few."
Q = "Adjusted p-value among all images that were tested (Benjamini and Hochberg 1995), 0 to 1; NaN as p."
VERDICT = "One of: given_back, in_part, no_copy, or not_tested."
HOW = (
    "What came back: exact, placed (shifted or scaled) or mirrored for the whole image; template, crop or region for a part; "
    "empty if nothing did."
)
WHY = "Why the image is not tested; empty if it is."
N = "Number of generations of the image's captions that were compared."
N_BACK = "Number of these generations that give the image back, as the verdict says."
RATE_LOW = (
    "Lower end of the exact interval of the rate of such generations (Clopper and Pearson 1934)."
)
RATE_HIGH = "Upper end of that interval; if there is none, the one-sided bound."
DISTANCE = (
    "RMSE of image and generation where they are compared, 0 to 1; NaN if the image is not tested."
)

AUDIT = {
    "audit_images": Table(
        "audit/images.parquet",
        "an image of the folder that is audited",
        {
            "image": IMAGE,
            "file": FILE,
            "sha256": "SHA-256 of the file in hexadecimal digits; empty for a member of an archive, or if it cannot be read.",
            "caption": "Text of the caption; empty if there is none.",
            "prompt_id": PROMPT_ID,
            "owner": OWNER,
            "control": CONTROL,
            "url": "Address of the image, as the user's table says; empty if it does not.",
            "width": "Width of the image in pixels; 0 if it cannot be read.",
            "height": "Height of the image in pixels; 0 if it cannot be read.",
            "duplicate_of": "Number of the first image that shows the same; -1 for an image that has none before it.",
            "status": "One of: ok or not_tested.",
            "reason": WHY,
        },
    ),
    "audit_pairs": Table(
        "audit/pairs.parquet",
        "an image and a generation of one of its captions; of images that show the same, the first",
        {
            "image": IMAGE,
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "distance": "RMSE of the whole images in the crop that brings them nearest, 0 to 1.",
            "crop": "How the image was made square for that: whole, squash, center or pad.",
            "doubt": "Why a distance within the threshold may mean nothing; empty if there is no doubt.",
            "masked": "RMSE under the mask of what the image shares with `partner`, 0 to 1; NaN if it has no partner.",
            "masked_crop": "How the image was made square for that; empty if it has no partner.",
            "partner": "Number of the other image that the mask was made with; -1 if there is none.",
            "partner_crop": "How that image was made square; empty if there is none.",
            "mask_area": "Share of the pixels that the mask keeps, 0 to 1; NaN if there is none.",
            "masked_doubt": "Why a distance under the mask within the threshold may mean nothing; empty if there is no doubt.",
            "residual": "Residual of the best placement, as in the verifier's table, 0 to 2; NaN if it cannot be computed.",
            "relative": "Residual divided by a quantile of what unrelated captions reach; NaN if there are too few.",
            "placed_crop": "How the image was made square for the placement.",
            "flip": "Whether the image was mirrored.",
            "side": "Side of the image in sides of the generation.",
            "top": "Distance from the top of the generation to the top of the image, in sides of the generation.",
            "left": "Distance from the left of the generation to the left of the image, in sides of the generation.",
            "visible": "Share of the image that lies in the frame of the generation, 0 to 1.",
            "overlap": "RMSE where the placed image lies, 0 to 1; NaN if it lies nowhere.",
        },
    ),
    "audit_null": Table(
        "audit/null.parquet",
        "an image and a caption that has nothing to do with it",
        {
            "image": IMAGE,
            "residual": "Least residual of the caption's generations at their best placements, 0 to 2; infinite if none can be read.",
        },
    ),
    "audit_tests": Table(
        "audit/tests.parquet",
        "an image that was to be compared",
        {
            "image": IMAGE,
            "relative": "Least `relative` of its pairs; NaN if there is none.",
            "n_unrelated": "Number of unrelated captions that the image was compared with; 0 if they are too few.",
            "reason": "Why no generation of the captions of the image can be read, as of the first one; empty if one can be read.",
            "n_null": "Number of values in the null distribution of all images.",
            "p": P,
        },
    ),
    "audit_verdicts": Table(
        "audit/verdicts.parquet",
        "an image of the folder that is audited",
        {
            "image": IMAGE,
            "verdict": VERDICT,
            "how": HOW,
            "reason": WHY,
            "n": N,
            "n_back": N_BACK,
            "rate_low": RATE_LOW,
            "rate_high": RATE_HIGH,
            "prompt_id": "Key of the caption of the generation that the verdict rests on; -1 if the image is not tested.",
            "seed": "Seed of that generation; -1 if the image is not tested.",
            "distance": DISTANCE,
            "p": P,
            "q": Q,
        },
    ),
    "audit_owners": Table(
        "audit/owners.parquet",
        "an owner; controls are left out",
        {
            "owner": OWNER,
            "images": "Number of distinct images of the owner.",
            "tested": "Number of these that were tested.",
            "given_back": "Number of tested images that were given back.",
            "in_part": "Number of tested images that were given back in part.",
            "share": "Share of the tested images that were given back; NaN if none was tested.",
            "low": LOW,
            "high": HIGH,
            "controls": "Number of distinct captions of controls that the owner's are compared with.",
            "statistic": "Welch's t of the calibrated scores of the owner's captions against the controls'; NaN without a test.",
            "p": "One-sided p-value of the membership test; NaN without a test.",
            "q": "Adjusted p-value among the owners (Benjamini and Hochberg 1995); NaN without a test.",
            "note": "Why there is no membership test; empty if there is one.",
        },
    ),
    "tables/audit.csv": Table(
        "tables/audit.csv",
        "a kind of image of the embedded world's sample and a verdict",
        {
            "truth": "Kind of the images: memorized (full, near and image_only together), template, trained once, never trained "
            "on, or one of the memorized kinds.",
            "verdict": VERDICT,
            "images": "Number of images of the kind with the verdict.",
            "of": "Number of images of the kind.",
            "share": "Share of the images of the kind that have the verdict, 0 to 1.",
            "low": LOW,
            "high": HIGH,
        },
    ),
    "audit_sample": Table(
        "world/sample.parquet",
        "an image of the sample that is audited by default",
        {
            "file": "Name of the file in world/sample.",
            "image_id": IMAGE_ID,
            "kind": "What is planted, as in truth.parquet.",
            "count": "How often the image occurs in the training set; 0 for a held-out image.",
        },
    ),
    "audit/verdicts.csv": Table(
        "audit/verdicts.csv",
        "an image, the clearest verdicts first",
        {
            "file": FILE,
            "verdict": VERDICT,
            "how": HOW,
            "reason": WHY,
            "n_back": N_BACK,
            "n": N,
            "rate_low": RATE_LOW,
            "rate_high": RATE_HIGH,
            "prompt": "Caption of the generation that the verdict rests on; empty if the image is not tested.",
            "seed": "Seed of that generation; -1 if the image is not tested.",
            "distance": DISTANCE,
            "p": P,
            "q": Q,
            "owner": OWNER,
            "control": CONTROL,
            "caption": CAPTION,
            "duplicate_of": "Name of the first file that shows the same; empty for an image that has none before it.",
            "width": "Width of the image in pixels; 0 if it cannot be read.",
            "height": "Height of the image in pixels; 0 if it cannot be read.",
            "sha256": "SHA-256 of the file; empty where privacy.images hides it.",
            "url": "Address of the image; empty where there is none or privacy.images hides it.",
        },
    ),
}
TABLES = {"audit": AUDIT}
