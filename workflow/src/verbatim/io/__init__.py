"""Files: table contracts, images and archives of them, kept results, the authors' layout; atomic writes, checksums, locks."""
