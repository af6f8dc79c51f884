"""The files in which the process that draws a sample leaves it."""

from typing import Final

WITH_INPUTS: Final = "sample.parquet"  # for the workers
LABELS: Final = "labels.parquet"  # the same without inputs, for the parent
