"""Sound files of every kind: what is decoded, and what is refused for which reason; alone and in a draw."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import Audio, Features, Value
from hypothesis import given
from hypothesis import strategies as st

from hubscan import recipe
from hubscan.media import audio
from hubscan.media.audio import AudioError
from hubscan.records import Sample
from hubscan.sample import draw
from tests.hub import LabHub, environment

RATE = 16_000
ROWS = 200


def tone(seconds: float = 1.0, rate: int = RATE, pitch: float = 440.0) -> npt.NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def file(samples: npt.NDArray[Any], rate: int = RATE, form: str = "WAV", **how: Any) -> bytes:
    stored = io.BytesIO()
    soundfile.write(stored, samples, rate, format=form, **how)
    return stored.getvalue()


def refused(content: bytes, seconds: float = 30.0) -> str:
    with pytest.raises(AudioError) as error:
        audio.decode(content, RATE, seconds)
    return str(error.value)


@pytest.mark.parametrize(
    ("form", "subtype", "close"),
    [
        ("WAV", "PCM_U8", 1 / 64),
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-7),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7),
        ("WAV", "ULAW", 0.03),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
        ("AIFF", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.02),
        ("OGG", "OPUS", 0.05),
        ("MP3", "MPEG_LAYER_III", 0.02),
    ],
)
def test_every_form_and_width_of_samples_gives_the_wave_that_was_written(
    form: str, subtype: str, close: float
) -> None:
    found = audio.decode(file(tone(), form=form, subtype=subtype), RATE, 30)
    assert found.dtype == np.float32 and found.shape == (RATE,)
    np.testing.assert_allclose(found[800:-800], tone()[800:-800], atol=close)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_is_brought_to_the_wanted_one_with_the_tone_as_it_was(rate: int) -> None:
    found = audio.decode(file(tone(rate=rate), rate, subtype="FLOAT"), RATE, 30)
    assert abs(len(found) - RATE) <= 1
    np.testing.assert_allclose(found[800:15_200], tone()[800:15_200], atol=1e-3)


def test_what_lies_above_half_the_wanted_rate_is_gone_and_not_folded_back() -> None:
    high = file(tone(rate=48_000, pitch=12_000), 48_000, subtype="FLOAT")
    assert np.abs(audio.decode(high, RATE, 30)[800:-800]).max() < 1e-4


def test_channels_are_averaged() -> None:
    left, right = tone(), tone(pitch=1_000)
    found = audio.decode(file(np.stack([left, right], 1), subtype="FLOAT"), RATE, 30)
    np.testing.assert_allclose(found, (left + right) / 2, atol=1e-6)


@given(st.integers(1, 400), st.sampled_from([8_000, 16_000, 44_100, 96_000]))
def test_even_a_few_samples_give_some(count: int, rate: int) -> None:
    found = audio.decode(file(np.full(count, 0.25), rate), RATE, 30)
    assert len(found) >= 1 and np.isfinite(found).all()


def test_the_first_seconds_are_read_and_no_more() -> None:
    samples = np.concatenate([tone(), np.full(RATE, np.nan)])
    found = audio.decode(file(samples, subtype="FLOAT"), RATE, 1.0)
    np.testing.assert_allclose(found, tone(), atol=1e-6)
    assert audio.duration(file(samples)) == 2.0


CUT = {
    "wav": (file(tone())[:-1000], "audio cut off"),
    "wav, half": (file(tone())[:16_000], "audio cut off"),
    "aiff": (file(tone(), form="AIFF")[:-1000], "audio cut off"),
    "flac": (file(tone(), form="FLAC")[:-1000], "corrupt audio"),
    "ogg": (file(tone(), form="OGG")[:2000], "corrupt audio"),
    "mp3": (file(tone(), form="MP3")[:-1000], "audio cut off"),
    "the beginning of a header": (file(tone())[:30], "corrupt audio"),
}
USELESS = {
    "zero-length": (file(np.zeros(0)), "no samples"),
    "NaN": (file(np.where(np.arange(RATE) == 77, np.nan, tone()), subtype="FLOAT"), "NaN or infinite samples"),
    "infinite": (file(np.where(np.arange(RATE) == 77, np.inf, tone()), subtype="FLOAT"), "NaN or infinite samples"),
    "a rate that no sound has": (file(tone())[:24] + b"\xff\xff\xff\x7f" + file(tone())[28:], "invalid sampling rate"),
    "text": (b"RIFF or so, but no sound at all", "not audio"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(200), "not audio"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "said"), (CUT | USELESS).values(), ids=CUT | USELESS)
def test_what_is_no_whole_sound_is_refused_with_a_reason(content: bytes, said: str) -> None:
    assert refused(content) == said


def test_what_is_cut_off_behind_the_wanted_seconds_is_whole_enough() -> None:
    whole = file(tone(3))
    assert len(audio.decode(whole[:-1000], RATE, 2.0)) == 2 * RATE


def test_a_wav_that_a_program_wrote_to_a_pipe_does_not_know_its_length_and_is_read() -> None:
    piped = bytearray(file(tone()))
    piped[4:8] = piped[40:44] = b"\xff\xff\xff\xff"
    assert len(audio.decode(bytes(piped), RATE, 30)) == RATE


def test_an_hour_of_silence_in_a_few_bytes_costs_no_more_than_its_beginning() -> None:
    bomb = file(np.zeros(3600 * 8_000, np.int16), 8_000, form="FLAC")
    assert len(bomb) < 300_000
    assert len(audio.decode(bomb, RATE, 30)) == 30 * RATE


def test_a_header_that_claims_more_samples_than_any_sound_has_is_refused_before_they_are_made() -> None:
    flac = bytearray(file(np.zeros((100, 8), np.int16), 8_000, form="FLAC"))
    fields = int.from_bytes(flac[18:26], "big")
    bits = fields >> 36 & 0xFF  # channels and width, between the rate (20 bits) and the length (36)
    flac[18:26] = ((655_350 << 44) | (bits << 36) | (2**36 - 1)).to_bytes(8, "big")
    assert refused(bytes(flac)) == "too many samples"


@given(st.binary(max_size=400), st.integers(0, 60), st.sampled_from(["WAV", "FLAC", "OGG", "AIFF"]))
def test_no_bytes_do_anything_but_give_a_sound_or_a_reason(noise: bytes, start: int, form: str) -> None:
    content = bytearray(file(tone(0.05), form=form))
    content[start : start + len(noise)] = noise
    try:
        found = audio.decode(bytes(content), RATE, 30)
    except AudioError as error:
        assert "\n" not in str(error) and str(error)
    else:
        assert len(found) and np.isfinite(found).all()


def test_samples_become_a_file_that_gives_them_back_as_they_were() -> None:
    samples = np.random.default_rng(0).normal(size=1000).astype(np.float32) * 3  # beyond full scale
    np.testing.assert_array_equal(audio.decode(audio.encode(samples, RATE), RATE, 30), samples)


# -- in a draw --------------------------------------------------------------------------------------


def drawn(folder: Path, spoil: dict[int, Any], **keys: Any) -> Sample:
    cells: list[Any] = [{"bytes": file(tone(0.1, pitch=100 + i)), "path": None} for i in range(ROWS)]
    for row, value in spoil.items():
        cells[row] = value if isinstance(value, dict) else {"bytes": value, "path": None}
    schema = Features({"audio": Audio(), "label": Value("int64")}).arrow_schema
    table = pa.table({"audio": cells, "label": [i % 2 for i in range(ROWS)]}, schema)
    pq.write_table(table, folder / "data.parquet", row_group_size=50)
    return draw(
        recipe.resolve({"dataset": str(folder / "data.parquet"), "samples": 50, **keys}).sample_request
    )


BAD = CUT | USELESS | {
    "no bytes": (b"", "empty input"),
    "null": ({"bytes": None, "path": None}, "empty input"),
    "a path that leads nowhere": ({"bytes": None, "path": "gone.wav"}, "audio file missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_sound_that_cannot_be_used_gives_way_to_another_and_is_counted(tmp_path: Path, name: str) -> None:
    value, reason = BAD[name]
    bad = set(range(0, ROWS, 5))
    sample = drawn(tmp_path, dict.fromkeys(bad, value))
    assert sample.draw.classes == {"0": 25, "1": 25}
    assert list(sample.draw.dropped) == [reason] and 1 < sample.draw.dropped[reason] <= len(bad)
    assert not bad & set(sample.row_ids.tolist())


def test_sounds_are_kept_as_the_bytes_that_they_were(tmp_path: Path) -> None:
    sample = drawn(tmp_path, {})
    assert sample.draw.columns == {"audio": "audio", "label": "label"} and sample.draw.dropped == {}
    for row, content in zip(sample.row_ids, sample.inputs["audio"], strict=True):
        assert content == file(tone(0.1, pitch=100 + row))


def test_only_the_seconds_that_are_read_have_to_be_good(tmp_path: Path) -> None:
    spoilt = file(np.concatenate([tone(0.2), [np.nan]]), subtype="FLOAT")
    assert drawn(tmp_path, dict.fromkeys(range(ROWS), spoilt), max_seconds=0.2).draw.dropped == {}


@pytest.mark.parametrize("command", ["rank", "doctor"])
def test_without_the_extra_one_line_says_what_to_install(
    hub: LabHub, hf_home: Path, tmp_path: Path, command: str
) -> None:
    drawn(tmp_path, {})
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "soxr.py").write_text("raise ImportError")  # also in processes that are started
    variables = environment(hub.endpoint, hf_home)
    variables["PYTHONPATH"] = f"{tmp_path / 'without'}{os.pathsep}{variables['PYTHONPATH']}"
    asked = ["rank", "--dataset", "data.parquet"] if command == "rank" else ["doctor"]
    done = subprocess.run(
        [sys.executable, "-m", "hubscan", *asked],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()[-1] if command == "rank" else done.stdout
    assert "reading audio needs two more libraries: pip install 'hubscan[audio]'" in said
    assert done.returncode == (1 if command == "rank" else 0)
