"""Count what was decided while images were decoded, and say it in notes of the sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from hubscan.media.images import Decoded


@dataclass
class ImageNotes:
    """What was decided about the images so far."""

    background: str
    transparent: int = 0
    faint: int = 0
    spans: Counter[str] = field(default_factory=Counter)  # of images with more than 8 bits

    def add(self, decoded: Decoded) -> None:
        """Count one image."""
        self.transparent += decoded.transparent
        self.faint += decoded.faint
        if decoded.span is not None:
            self.spans[str(decoded.span)] += 1

    def __call__(self) -> Sequence[str]:
        """Return the notes, none for ordinary images."""
        notes = []
        if self.transparent:
            are = "image has" if self.transparent == 1 else "images have"
            put = "is" if self.transparent == 1 else "are"
            notes.append(
                f"{self.transparent:,} {are} transparent pixels and {put} put on {self.background}; "
                "pass --background to change that"
            )
        if len(self.spans) > 1:
            listed = ", ".join(f"{count:,} from {span}" for span, count in self.spans.most_common())
            notes.append(
                f"images of more than 8 bits are scaled from different ranges ({listed}); "
                "save them as 8- or 16-bit images of one range to change that"
            )
        if self.faint and self.faint == self.spans.total():
            notes.append(
                f"all {self.faint:,} images of more than 8 bits use less than a sixteenth of their range "
                f"({', '.join(self.spans)}), which leaves little in 8 bits; scale them to the full range"
            )
        return notes
