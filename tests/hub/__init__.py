"""The loopback Hub of the tests: real clients use it from subprocesses, and nothing leaves 127.0.0.1."""

from tests.hub.faults import ALWAYS, Fault
from tests.hub.fixtures import environment, lab_hub, run_python
from tests.hub.lab import LabHub

__all__ = ["ALWAYS", "Fault", "LabHub", "environment", "lab_hub", "run_python"]
