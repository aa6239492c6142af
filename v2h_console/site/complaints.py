"""A file's value that is not allowed, in a technician's words: where it stands, what it is, what it may be."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from v2h_console.site import toml_place

#: A value is shown with no more than this of it.
SHOWN = 40
MOST_BITS = 1024
_NOTHING = object()
#: What msgspec says, and where: the keys there are the tables' own, whatever the file's are called.
_PLACED = re.compile(r"(.*?)(?: - at `(\$(?:\.\w+|\[(?:\d+|\.\.\.)\])*)`)?", re.DOTALL)
#: The same of a key of a table whose keys are a person's.
_KEY = re.compile(r".* - at `key` in `(\$(?:\.\w+)+)`", re.DOTALL)


def explain(path: str, text: str, kind: type[msgspec.Struct], data: Mapping[str, Any], message: str) -> str:
    """msgspec's ``message`` about ``data``, the file at ``path``, as one line. Never raises: a file may name its keys anyhow."""
    try:
        return _explain(path, text, kind, data, message)
    except Exception:  # noqa: BLE001  (a key can be made to look like a place that no table has)
        return f"{path}: {one_line(_printable(message))}"


def _explain(path: str, text: str, kind: type[msgspec.Struct], data: Mapping[str, Any], message: str) -> str:
    found = _PLACED.fullmatch(message)
    what, place = (found[1], found[2] or "") if found else (message, "")
    # msgspec does not say which entry of a table it was.
    where = place.removeprefix("$").lstrip(".").replace("[...]", "[*]")
    if key := _KEY.fullmatch(message):
        where = key[1].removeprefix("$").lstrip(".")
        said = _wrong_key(_hint_at(kind, where), _value_at(data, where), where)
    elif unknown := re.fullmatch(r".*unknown field `(.*)`", what, re.DOTALL):
        allowed = ", ".join(field.name for field in msgspec.structs.fields(_table_at(kind, where)))
        inside = f" in [{where}]" if where else ""
        said = f"unknown key {shown(unknown[1])}{inside}: allowed are {allowed}"
        where = _joined(where, unknown[1])
    elif missing := re.search(r"missing required field `([^`]*)`", what):
        where = _joined(where, missing[1])
        said = f"{where} is missing: {allowed_at(kind, where)}"
    else:
        value = _value_at(data, where)
        said = f"{where}{'' if value is _NOTHING else f' is {shown(value)}'}: {allowed_at(kind, where)}"
    return f"{toml_place.at(path, text, where)}: {one_line(said)}"


def _wrong_key(hint: Any, data: Any, where: str) -> str:
    wanted, _ = get_args(hint)
    for key in data:
        try:
            msgspec.convert(key, wanted)
        except msgspec.ValidationError:
            return f"{where} names {shown(key)}: allowed is {allowed(wanted)}"
    raise LookupError(where)


def allowed_at(kind: type[msgspec.Struct], where: str) -> str:
    """ "allowed is ..." for the key at ``where``."""
    words = allowed(_hint_at(kind, where))
    return f"allowed {'are' if words.startswith('one of ') else 'is'} {words.removeprefix('one of ')}"


def allowed(hint: Any) -> str:
    """What a value of this kind may be."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:])
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin in (types.UnionType, Union):
        kinds = [one for one in arguments if one is not type(None)]
        return " or ".join(allowed(one) for one in kinds)
    if origin is list:
        return f"a list, each {allowed(arguments[0])}"
    if origin is dict:
        return f"a table in which each value is {allowed(arguments[1])}"
    words = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(hint, "a table")


def _bounded(kind: Any, metas: tuple[Any, ...]) -> str:
    meta = next(one for one in metas if isinstance(one, msgspec.Meta))
    words = allowed(kind)
    if meta.description is not None:
        return meta.description
    if kind in (int, float):
        return f"{words}{_range(meta)}"
    if meta.max_length is not None:
        what = "characters" if kind is str else "entries"
        return (
            f"{words}, {f'{meta.min_length} to' if meta.min_length else 'at most'} {meta.max_length} {what}"
        )
    return words


def _range(meta: msgspec.Meta) -> str:
    least, most = meta.ge, meta.le
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    low = (
        f" of at least {least:g}"
        if least is not None
        else f" above {meta.gt:g}"
        if meta.gt is not None
        else ""
    )
    return f"{low}{'' if most is None else f', at most {most:g}' if low else f' of at most {most:g}'}"


def shown(value: object) -> str:
    """A file's value as it may be put on a terminal: cut short, nothing raw."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | dict):
        return "a table" if isinstance(value, dict) else f"a list of {len(value)}"
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        # Python refuses to write some thousands of digits out.
        return "a number without end"
    printable = _printable(repr(value) if isinstance(value, str | int) else str(value))
    return printable if len(printable) <= SHOWN else f"{printable[:SHOWN]}…"


def _printable(said: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in said)


def one_line(text: str) -> str:
    """No line breaks, and not without end."""
    return " ".join(text.split())[:300]


def _joined(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _hint_at(kind: type[msgspec.Struct], where: str) -> Any:
    """The kind of the key at ``where``; of an entry where that is what is named ("days[1]")."""
    table, _, key = where.rpartition(".")
    name, *indices = re.split(r"\[", key)
    hint: Any = next(one.type for one in msgspec.structs.fields(_table_at(kind, table)) if one.name == name)
    for _ in indices:
        hint = _entry(hint)
    return hint


def _entry(hint: Any) -> Any:
    """What a list's or a table's entries are."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is list:
        return arguments[0]
    if origin is dict:
        return arguments[1]
    return next((found for one in arguments if (found := _entry(one)) is not None), None)


def _table_at(kind: type[msgspec.Struct], where: str) -> type[msgspec.Struct]:
    """The kind of the table at ``where`` ("" = the file, "inverter", "circuit[2]")."""
    for part in filter(None, (re.sub(r"\[.*", "", part) for part in where.split("."))):
        hint = next(field.type for field in msgspec.structs.fields(kind) if field.name == part)
        kind = _struct(hint)
    return kind


def _struct(hint: Any) -> Any:
    """The table within a hint."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next((found for one in get_args(hint) if (found := _struct(one)) is not None), None)


def _value_at(data: object, where: str) -> object:
    """What the file says at ``where``."""
    for part in where.split("."):
        name, *indices = re.findall(r"[^\[\]]+", part)
        data = data.get(name, _NOTHING) if isinstance(data, Mapping) else _NOTHING
        for index in indices:
            inside = isinstance(data, list) and index.isdigit() and int(index) < len(data)
            data = data[int(index)] if inside and isinstance(data, list) else _NOTHING
    return data
