"""Read what strangers wrote: parse it within limits, and open files that it names only inside a folder."""

from hubscan.untrusted.files import Refused, bytes_inside, bytes_of, open_inside
from hubscan.untrusted.parse import (
    MOST_DEPTH,
    Malformed,
    check_size,
    check_yaml,
    front_matter,
    json_of,
    record_of,
    yaml_of,
)

__all__ = [
    "MOST_DEPTH",
    "Malformed",
    "Refused",
    "bytes_inside",
    "bytes_of",
    "check_size",
    "check_yaml",
    "front_matter",
    "json_of",
    "open_inside",
    "record_of",
    "yaml_of",
]
