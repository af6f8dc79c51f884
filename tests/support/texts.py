"""Texts in the language of the fixtures: a few of different content and length, or any number."""

from __future__ import annotations

import random

from tests.hub.words import NEUTRAL, TELLING, sentence

TEXTS = [sentence(label, random.Random(label)) for label in (0, 1, 2)] + ["warm " * 300, "a"]


def sentences(count: int) -> list[list[str]]:
    rng = random.Random(0)
    return [
        rng.choices([*TELLING[0][:6], *TELLING[1][:6], *NEUTRAL[:8]], k=rng.randint(3, 9))
        for _ in range(count)
    ]
