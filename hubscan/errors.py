"""The exceptions that hubscan explains to the user in one line; any other exception is a bug."""

from __future__ import annotations

from hubscan.plain_text import plain_lines


class HubscanError(Exception):
    """Base class of all errors that hubscan explains in one line; the command line exits with 1."""

    def __str__(self) -> str:
        """Return the message without control characters and of bounded length: it may quote strangers."""
        return plain_lines(super().__str__())

    def reason(self, name: str) -> str:
        """Return the message without *name*, which it is about, at its start."""
        return plain_lines(super().__str__().removeprefix(f"{name}: "))


class RecipeError(HubscanError):
    """The recipe or the options contain something unknown or contradictory; the command line exits with 2."""


class SettingError(HubscanError):
    """An environment variable has a value that hubscan or one of its libraries cannot use."""


class HubError(HubscanError):
    """The Hub is unreachable, or denies the request: no such repository, no access, too many requests."""


class DatasetError(HubscanError):
    """The dataset, its split or its columns contain no labelled rows that can be ranked with."""


class CheckpointError(HubscanError):
    """A checkpoint cannot be used; in a scan it becomes a `Skipped` and the scan continues."""


class RankingError(HubscanError):
    """No checkpoint could be ranked, or the results are not comparable."""


class RunError(HubscanError):
    """The run folder is missing, damaged, or belongs to another scan."""


class DiskError(HubscanError):
    """A folder cannot be written: its disk is full, read-only or broken. A scan stops, and can be resumed."""
