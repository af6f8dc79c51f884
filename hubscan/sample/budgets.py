"""How much a dataset may unpack to. No real row comes near these limits, which bound the memory of a scan."""

from __future__ import annotations

from typing import Final

MOST_ROW_CHARACTERS: Final = 2**25  # of a row of csv or JSON; with an image in base64, one of 25 MB
MOST_COLUMNS: Final = 100_000
MOST_PLAIN_BYTES: Final = 2**28  # of a column in a row group or a batch, with every value written out
MOST_FILE_BYTES: Final = 10**8  # of an image or audio file; a photo of 100 million pixels has fewer
MOST_EXPANSION: Final = 200  # times its packed size that a file may unpack to, beyond the first bytes
FREE_EXPANSION_BYTES: Final = 2**26
BATCH_BYTES: Final = 2**25  # held at once, beyond a single row
