"""Run work on data from outside in processes of their own.

A child sends JSON lines on stdout and reads them from stdin. They are plain text, so a process that has
handled a stranger's data cannot pass code to its parent.
"""

from hubscan.processes.child import Messages, private_stdout
from hubscan.processes.parent import DAMAGED, Child, Message, exit_reason, start
from hubscan.processes.temporary import temporary_folder

__all__ = [
    "DAMAGED",
    "Child",
    "Message",
    "Messages",
    "exit_reason",
    "private_stdout",
    "start",
    "temporary_folder",
]
