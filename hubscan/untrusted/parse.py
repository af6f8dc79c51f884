"""Parse JSON and YAML from outside within limits on size, depth and numbers, and check it against a type.

Every failure is a `Malformed` with a reason of one line. The caller adds the name of the source, what to do,
and the exception of its own stage.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import yaml

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

MOST_BYTES: Final = 2**24
MOST_DEPTH: Final = 64  # lists and mappings in each other; the deepest config of transformers has 7
MOST_VALUES: Final = 2**20
MOST_DIGITS: Final = 40  # of a whole number; tokenizers write 10^30 for "no limit"
MOST_SHOWN: Final = 200  # characters of a parser's own message

_NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_RESOLVER: Final = yaml.resolver.Resolver()
_FRONT_MATTER: Final = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


class Malformed(ValueError):
    """A text from outside is not what it should be; the message is a reason of one line."""


def json_of(
    content: bytes | str,
    *,
    most_bytes: int = MOST_BYTES,
    most_values: int = 4 * MOST_VALUES,
    finite: bool = False,
) -> Any:
    """Return the value of a JSON text in UTF-8; with *finite*, refuse NaN, infinity and what overflows to it.

    Raises:
        Malformed: if it is no JSON, or exceeds a limit.
    """
    text = _text(content, most_bytes)
    try:
        real = _finite if finite else None
        value = json.loads(text, parse_int=_whole_number, parse_float=real, parse_constant=real)
    except RecursionError as error:
        raise Malformed(f"nested more than {MOST_DEPTH} deep") from error
    except Malformed:
        raise
    except ValueError as error:
        raise Malformed(f"not valid JSON: {_one_line(error)}") from error
    check_size(value, most_values)
    return value


def yaml_of(content: bytes | str, *, most_bytes: int = MOST_BYTES, most_values: int = MOST_VALUES) -> Any:
    """Return the value of a YAML 1.1 text without aliases and tags, as PyYAML and the Hub's client read it.

    Raises:
        Malformed: if it is no YAML, or exceeds a limit.
    """
    text = _text(content, most_bytes)
    check_yaml(text, most_bytes=most_bytes, most_values=most_values)
    try:
        return yaml.load(text, Loader=_Loader)
    except Exception as error:  # PyYAML raises many types for impossible dates, keys and numbers
        raise Malformed(f"not valid YAML: {_yaml_problem(error)}") from error


def check_yaml(content: bytes | str, *, most_bytes: int = MOST_BYTES, most_values: int = MOST_VALUES) -> None:
    """Check the limits of a YAML text from its events, before anything is built; for any loader.

    Raises:
        Malformed: if it is no YAML, has an alias, or exceeds a limit.
    """
    depth, values = 0, 0
    try:
        for event in yaml.parse(_text(content, most_bytes), Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            values += isinstance(event, yaml.NodeEvent)
            _check_event(event, depth)
            if values > most_values:
                raise Malformed(f"has more than {most_values:,} values")
    except Malformed:
        raise
    except RecursionError as error:
        raise Malformed(f"nested more than {MOST_DEPTH} deep") from error
    except Exception as error:
        raise Malformed(f"not valid YAML: {_yaml_problem(error)}") from error


def front_matter(
    content: bytes | str, *, most_bytes: int = MOST_BYTES, most_values: int = MOST_VALUES
) -> dict[str, Any]:
    """Return the YAML mapping at the top of a card, between two lines `---`; {} if the card has none.

    Raises:
        Malformed: if it is no mapping, or exceeds a limit.
    """
    found = _FRONT_MATTER.match(_text(content, most_bytes))
    value = yaml_of(found[1], most_values=most_values) if found else None
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Malformed("its front matter is not a mapping of names to values")
    return value


def record_of(kind: TypeAdapter[T], value: Any) -> T:
    """Return *value* as a record of *kind*.

    Raises:
        Malformed: naming the first field that does not fit.
    """
    from pydantic import ValidationError

    try:
        return kind.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Malformed(_one_line(f"{place}: {first['msg']}" if place else first["msg"])) from error
    except RecursionError as error:
        raise Malformed(f"nested more than {MOST_DEPTH} deep") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, which builds plain values only."""


def _text(content: bytes | str, most_bytes: int) -> str:
    if len(content) > most_bytes:
        raise Malformed(f"larger than {most_bytes:,} bytes")
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 text ({error.reason} at byte {error.start})") from error


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise Malformed(f"{number[:MOST_DIGITS]} is not a finite number")
    return value


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise Malformed(f"a number of {len(digits):,} digits")
    return int(digits)


def _check_event(event: yaml.Event, depth: int) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise Malformed("has an alias (`*name`), which hubscan does not read")
    if depth > MOST_DEPTH:
        raise Malformed(f"nested more than {MOST_DEPTH} deep")
    if isinstance(event, yaml.ScalarEvent) and len(event.value) > MOST_DIGITS and _is_number(event):
        raise Malformed(f"a number of more than {MOST_DIGITS} digits")


def _is_number(event: yaml.ScalarEvent) -> bool:
    if event.tag in _NUMBERS:  # such as `!!int "7"`
        return True
    resolved = _RESOLVER.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
    return resolved in _NUMBERS


def check_size(value: Any, most_values: int = 4 * MOST_VALUES) -> None:
    """Check the depth and the number of the values in *value*, which consists of lists and dicts.

    Raises:
        Malformed: if there are too many.
    """
    level, depth, values = _nested([value]), 0, 1
    while level:
        depth += 1
        inner = [part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer)]
        level, values = _nested(inner), values + len(inner)
        if depth > MOST_DEPTH:
            raise Malformed(f"nested more than {MOST_DEPTH} deep")
        if values > most_values:
            raise Malformed(f"has more than {most_values:,} values")


def _nested(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return _one_line(f"line {mark.line + 1}: {getattr(error, 'problem', error)}" if mark else error)


def _one_line(message: object) -> str:
    return " ".join(str(message).split())[:MOST_SHOWN]
