"""The bytes of a sound file in, its samples at a wanted rate out, or the reason why there are none.

The only importer of `soundfile` and `soxr`, which the extra `audio` brings; what needs no decoding,
`require` among it, works without them.
"""

from __future__ import annotations

import importlib
import io
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from hubscan.errors import HubscanError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Waveform = npt.NDArray[np.float32]

LIBRARIES: Final = ("soundfile", "soxr")
MISSING: Final = "reading sounds needs two more libraries: pip install 'hubscan[audio]'"
MOST_SAMPLES: Final = 100_000_000  # of all channels together; more is taken for a decompression bomb
RATES: Final = range(1_000, 1_000_001)  # Hz
UNKNOWN_FORMAT: Final = 1  # libsndfile's number for a file of no kind that it knows
STREAMED: Final = 0x7FFF_0000  # bytes: what a program claims that wrote to a pipe, and could not know


class AudioError(Exception):
    """These bytes are no sound that can be used; the message is a reason to count rows by."""


def require() -> None:
    """Make sure that sounds can be decoded here.

    Raises:
        HubscanError: saying what to install, if they cannot.
    """
    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except (ImportError, OSError) as error:  # soundfile without libsndfile gives an OSError
            raise HubscanError(f"{MISSING} ({error})") from error


def versions() -> dict[str, str]:
    """Return the versions of the libraries that decide a sound's samples, "missing" of one that is."""
    return {library: _version(library) for library in LIBRARIES}


def decode(content: bytes, rate: int, seconds: float) -> Waveform:
    """Return the first *seconds* of the sound, its channels averaged, at *rate*: (samples,) float32.

    What is longer is read no further, so that an hour costs no more than its beginning.

    Raises:
        AudioError: as `read` does.
    """
    import numpy as np
    import soxr

    samples, own_rate = read(content, seconds)
    mono: Waveform = samples.mean(axis=1, dtype=np.float32)
    if own_rate == rate:
        return mono
    resampled: Waveform = soxr.resample(mono, own_rate, rate)
    return resampled if len(resampled) else mono[:1]


def read(content: bytes, seconds: float) -> tuple[Waveform, int]:
    """Return the first *seconds* as they were recorded, (samples, channels) float32, and their rate in Hz.

    Raises:
        AudioError: if the bytes are no sound, are cut off or broken, hold no samples or such as are no
            numbers, or claim too many, or a rate that no sound has.
    """
    import numpy as np

    with _opened(content) as file:
        if file.samplerate not in RATES:
            raise AudioError("no rate of a sound")
        wanted = min(file.frames, round(seconds * file.samplerate))
        if max(wanted, 1) * file.channels > MOST_SAMPLES:
            raise AudioError("too many samples")
        samples: Waveform = _frames(file, wanted)
        if len(samples) < wanted or (wanted == file.frames and _cut_off(file.extra_info)):
            raise AudioError("sound cut off")
        if not len(samples):
            raise AudioError("no samples")
        if not np.isfinite(samples).all():
            raise AudioError("samples that are no numbers")
        return samples, int(file.samplerate)


def duration(content: bytes) -> float:
    """Return how many seconds the file says it has; decodes nothing.

    Raises:
        AudioError: if the bytes are no sound.
    """
    with _opened(content) as file:
        return float(file.frames / file.samplerate)


def encode(samples: npt.NDArray[Any], rate: int) -> bytes:
    """Return a wav file of *samples*, (samples,) or (samples, channels), that keeps float32 as it is."""
    import soundfile

    stored = io.BytesIO()
    soundfile.write(stored, samples, rate, format="WAV", subtype="FLOAT")
    return stored.getvalue()


class _Content(io.BytesIO):
    """Bytes as a file; where a broken header sends the reader before the beginning, it goes there."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: len(self.getbuffer())}[whence]
        return super().seek(max(0, base + offset))


def _opened(content: bytes) -> Any:
    import soundfile

    try:
        return soundfile.SoundFile(_Content(content))
    except soundfile.LibsndfileError as error:
        raise AudioError("not a sound" if error.code == UNKNOWN_FORMAT else "corrupt sound") from error
    except (RuntimeError, ValueError, TypeError) as error:
        raise AudioError("not a sound") from error


def _frames(file: Any, wanted: int) -> Any:
    import soundfile

    try:
        return file.read(wanted, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise AudioError("corrupt sound") from error


def _cut_off(told: str) -> bool:
    """Return whether a wav or aiff file says it is longer than it is, in libsndfile's log of its header."""
    match = re.search(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", told, re.MULTILINE)
    if match:
        return int(match[2]) < int(match[1]) < STREAMED
    return "> file length" in told


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "missing"
