"""The command line: each command parses, calls and prints, and imports what is heavy only when it runs."""

from __future__ import annotations

from hubscan.cli.group import main

__all__ = ["main"]
