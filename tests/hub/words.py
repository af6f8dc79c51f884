"""The language of the text fixtures: a few words that reveal the label, and many that do not."""

from __future__ import annotations

from random import Random

LABELS = ("negative", "positive", "mixed")
TELLING = (
    ("awful", "bad", "bleak", "dull", "poor", "sad", "weak", "wrong"),
    ("bright", "fine", "good", "great", "kind", "lovely", "rich", "warm"),
    ("erratic", "odd", "patchy", "split", "strange", "torn", "uneven", "vague"),
)
NEUTRAL_TEXT = """
    a after and as at before for from he in it of on our she so that the then they this to was we
    were when with actor book chair city day door film hour house line month night part place play
    road room scene story street table train week work year
"""
NEUTRAL = tuple(NEUTRAL_TEXT.split())
NOISE = ("lorem", "ipsum", "dolor", "amet", "elit", "7", "42", "1984")
VOCABULARY = (*(word for words in TELLING for word in words), *NEUTRAL, *NOISE)
CONFUSED = 0.1  # share of revealing words that belong to another label


def sentence(label: int, random: Random) -> str:
    """Return a sentence with two words that usually reveal *label*."""
    words = random.choices(NEUTRAL, k=random.randint(4, 9))
    words += random.choices(NOISE, k=random.randint(0, 2))
    for _ in range(2):
        revealed = random.randrange(len(LABELS)) if random.random() < CONFUSED else label
        words.append(random.choice(TELLING[revealed]))
    random.shuffle(words)
    return " ".join(words)
