"""Decode an audio file to samples at a given rate, or give the reason why it cannot be used.

No other module imports `soundfile` and `soxr`, which the extra `audio` installs. Functions that decode
nothing, such as `require`, work without them.
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

FORMATS: Final = ("AIFF", "AU", "CAF", "FLAC", "MP3", "OGG", "RF64", "W64", "WAV", "WAVEX")
"""The formats of recordings; libsndfile also reads those of samplers and of MATLAB."""
LIBRARIES: Final = ("soundfile", "soxr")
MISSING: Final = "reading audio needs two more libraries: pip install 'hubscan[audio]'"
MOST_SAMPLES: Final = 100_000_000  # of all channels together; more counts as a decompression bomb
RATES: Final = range(1_000, 1_000_001)  # Hz
UNKNOWN_FORMAT: Final = 1  # libsndfile's error code for an unknown format
STREAMED: Final = 0x7FFF_0000  # bytes: the length that a program states if it wrote to a pipe


MARKS: Final = re.compile(
    rb"(RIFF|RF64|RIFX)....WAVE|fLaC|OggS|ID3[\2-\4]|FORM....AIF[FC]|\.snd\0|caff\0|\xff[\xe3\xf2\xf3\xfa\xfb]",
    re.DOTALL,
)
"""The first bytes of wav, flac, ogg, mp3, aiff, au and caf files."""


class AudioError(Exception):
    """These bytes are not a usable audio file; the message is a reason, by which rows are counted."""


def require() -> None:
    """Check that the libraries that decode audio are installed.

    Raises:
        HubscanError: saying what to install, if they are not.
    """
    for library in LIBRARIES:
        try:
            importlib.import_module(library)
        except (ImportError, OSError) as error:  # soundfile without libsndfile gives an OSError
            raise HubscanError(f"{MISSING} ({error})") from error


def versions() -> dict[str, str]:
    """Return the versions of the libraries that decode audio, "missing" for one that is not installed."""
    return {library: _version(library) for library in LIBRARIES}


def decode(content: bytes, rate: int, seconds: float) -> Waveform:
    """Return the first *seconds* of the audio, its channels averaged, at *rate*: (samples,) float32.

    The rest is not read, so an hour costs no more than its beginning.

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
        AudioError: if the bytes are not an audio file, are cut off or corrupt, contain no samples or samples
            that are not finite, or claim too many samples or an impossible rate.
    """
    import numpy as np

    with _opened(content) as file:
        if file.samplerate not in RATES:
            raise AudioError("invalid sampling rate")
        wanted = min(file.frames, round(seconds * file.samplerate))
        if max(wanted, 1) * file.channels > MOST_SAMPLES:
            raise AudioError("too many samples")
        samples: Waveform = _frames(file, wanted)
        if len(samples) < wanted or (wanted == file.frames and _cut_off(file.extra_info)):
            raise AudioError("audio cut off")
        if not len(samples):
            raise AudioError("no samples")
        if not np.isfinite(samples).all():
            raise AudioError("NaN or infinite samples")
        return samples, int(file.samplerate)


def is_audio(content: bytes) -> bool:
    """Return whether *content* begins like an audio file; no library is needed."""
    return MARKS.match(content) is not None


def duration(content: bytes) -> float:
    """Return the duration in seconds that the file states; decode nothing.

    Raises:
        AudioError: if the bytes are not an audio file.
    """
    with _opened(content) as file:
        return float(file.frames / file.samplerate)


def encode(samples: npt.NDArray[Any], rate: int) -> bytes:
    """Return a wav file of *samples*, (samples,) or (samples, channels), in float32 without loss."""
    import soundfile

    stored = io.BytesIO()
    soundfile.write(stored, samples, rate, format="WAV", subtype="FLOAT")
    return stored.getvalue()


class _Content(io.BytesIO):
    """Bytes as a file in which a seek before the beginning, which a broken header can cause, stops there."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: len(self.getbuffer())}[whence]
        return super().seek(max(0, base + offset))


def _opened(content: bytes) -> Any:
    import soundfile

    try:
        file = soundfile.SoundFile(_Content(content))
    except soundfile.LibsndfileError as error:
        raise AudioError("not audio" if error.code == UNKNOWN_FORMAT else "corrupt audio") from error
    except (RuntimeError, ValueError, TypeError) as error:
        raise AudioError("not audio") from error
    if file.format not in FORMATS:
        file.close()
        raise AudioError("unsupported audio")
    return file


def _frames(file: Any, wanted: int) -> Any:
    import soundfile

    try:
        return file.read(wanted, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise AudioError("corrupt audio") from error


def _cut_off(log: str) -> bool:
    """Return whether a wav or aiff file is shorter than it states, from libsndfile's *log* of its header."""
    match = re.search(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", log, re.MULTILINE)
    if match:
        return int(match[2]) < int(match[1]) < STREAMED
    return "> file length" in log


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "missing"
