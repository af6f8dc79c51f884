"""Run work on data from outside in processes of their own.

A child sends JSON lines on stdout and reads them from stdin. They are plain text, so a process that has
handled a stranger's data cannot pass code to its parent.
"""

from hubscan.processes.child import Messages, Warnings, private_stdout
from hubscan.processes.limits import MemoryLimit, end_with_parent, machine_bytes, resident_bytes
from hubscan.processes.parent import (
    DAMAGED,
    OUT_OF_MEMORY,
    RAN_OUT,
    Child,
    Message,
    end_all,
    exit_reason,
    start,
)
from hubscan.processes.temporary import has_ended, owner, temporary_folder

__all__ = [
    "DAMAGED",
    "OUT_OF_MEMORY",
    "RAN_OUT",
    "Child",
    "MemoryLimit",
    "Message",
    "Messages",
    "Warnings",
    "end_all",
    "end_with_parent",
    "exit_reason",
    "has_ended",
    "machine_bytes",
    "owner",
    "private_stdout",
    "resident_bytes",
    "start",
    "temporary_folder",
]
