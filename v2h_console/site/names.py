"""What devices are called: what a person sees of it, the codes of their alarms, and hosts as the resolver is asked."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from v2h_console.core import alarms

#: Six digits tell sixteen million names apart; a site has ten.
DIGEST_DIGITS = 6
#: What the screens show as a space, and what they leave out: controls, marks without width and the like.
_BLANK = {"Zs", "Zl", "Zp"}
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"}
#: What the resolver can be asked for: no label is empty or longer than 63, numbers alone are an IPv4 address.
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
ASCII_HOST = (
    rf"{_OCTET}(?:\.{_OCTET}){{3}}|(?![0-9.]+\Z){_LABEL}(?:\.{_LABEL})*\.?"
    r"|(?=[^:]*:)[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.-]{1,15})?"
)


def seen(name: str) -> str:
    """What a screen shows of a name: two that are one here cannot be told apart. As the screens' own cleaning has it."""
    signs = ((char, unicodedata.category(char)) for char in unicodedata.normalize("NFC", name))
    return "".join(" " if kind in _BLANK else char for char, kind in signs if kind not in _UNSEEN)


def codes(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The names whose alarms need a code of their own, with it: a digest tells apart what a code's letters cannot.

    A plain name keeps its code; of several that are one in ASCII the first does.
    """
    alone = Counter(map(alarms.code_of, names := tuple(names)))
    taken: set[str] = set()
    told_apart = []
    for name in sorted(names, key=lambda one: not one.isascii()):
        code = alarms.code_of(name)
        if code in taken or (alone[code] > 1 and not name.isascii()):
            digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode("utf-8", "replace")).hexdigest()
            code = f"{code}_{digest[:DIGEST_DIGITS].upper()}"
            told_apart.append((name, code))
        taken.add(code)
    return tuple(told_apart)


def one_host(host: str) -> str:
    """The same for every spelling of one host, as far as can be known without asking anybody; for comparing alone."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = unicodedata.normalize("NFKC", host).casefold().removesuffix(".")
        # RFC 6761 6.3: it names the machine itself, whatever a resolver says.
        return "127.0.0.1" if name == "localhost" else name
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def can_be_asked_for(host: str) -> bool:
    """Whether the resolver takes this name: beyond ASCII it goes out as IDNA writes it."""
    if host.isascii():
        # Looked at as it stands; and no codec is loaded for it, which is too late where a user who cannot read them asks.
        return True
    try:
        written = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return re.fullmatch(ASCII_HOST, written) is not None
