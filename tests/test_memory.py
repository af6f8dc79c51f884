from __future__ import annotations

import sys

import numpy as np
import pytest

from hubscan.memory import peak_memory

MEGABYTE = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget an earlier peak")
def test_each_block_has_its_own_peak() -> None:
    with peak_memory("cpu") as large:
        rows = np.ones(200 * MEGABYTE // 8)
        assert rows.sum() > 0
        del rows
    with peak_memory("cpu") as small:
        pass
    assert large.bytes > small.bytes + 150 * MEGABYTE
    assert small.bytes > 10 * MEGABYTE
