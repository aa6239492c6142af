"""What ``[mqtt]`` names on this machine (password, certificates of authorities), and why a broker was not trusted.

A fault here is no ConfigError at the start: the house does not stay dark over its telemetry. The outlet says it, and so do
``v2h-console check`` and an edit.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from v2h_console import plain_file
from v2h_console.site import toml_place
from v2h_console.site.errors import ConfigError
from v2h_console.site.files import Mqtt

if TYPE_CHECKING:
    import ssl

#: Longer than a password is; MQTT itself allows 65535.
MOST_PASSWORD_BYTES = 4096
MOST_CA_BYTES = 4 * 1024 * 1024
LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: X509_V_ERR_* (x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
#: A chain that leads to no authority that is believed.
_NO_ISSUER = (2, 18, 19, 20, 21)


def below(root: Path, name: str) -> Path | None:
    """A path of the configuration, below the root; ``None`` where none is given."""
    return root / name.lstrip("/") if name else None


def password(path: Path | None, username: str) -> str | None:
    """What the file holds for this user. Raises ConfigError with one line."""
    if path is None:
        return None
    allowed = "allowed is a file that the owner can read and that holds the password alone"
    try:
        held = plain_file.read(path, MOST_PASSWORD_BYTES).decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"password_file {path}: {error.strerror or error}; {allowed}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"password_file {path}: not UTF-8 text; {allowed}") from None
    if not held or "\n" in held:
        raise ConfigError(f"password_file {path}: {'several lines' if held else 'empty'}; {allowed}")
    if "\0" in held:
        raise ConfigError(f"password_file {path}: holds a NUL, which no password has; {allowed}")
    if not username:
        raise ConfigError(
            f"password_file {path}: given without username, so no password would be sent; "
            "give username, or take password_file out"
        )
    return held


def trust(*, tls: bool, ca_file: Path | None) -> ssl.SSLContext | None:
    """Whom to believe, by name and date too; without ``ca_file`` the machine's own authorities. ``None`` = no TLS.

    Raises ConfigError with one line.
    """
    if not tls:
        if ca_file is not None:
            raise ConfigError(
                f"ca_file {ca_file}: given while tls is false, so nothing would be encrypted; "
                "set tls = true, or take ca_file out"
            )
        return None
    import ssl

    if ca_file is None:
        return ssl.create_default_context()
    allowed = "allowed is a file of certificates in PEM that the owner can read"
    try:
        # Remarks between the certificates may be in any encoding.
        authorities = plain_file.read(ca_file, MOST_CA_BYTES).decode("ascii", "ignore")
        if not authorities:
            # An empty list would mean the machine's own authorities, to ssl.
            raise ConfigError(f"ca_file {ca_file}: empty; {allowed}")
        return ssl.create_default_context(cadata=authorities)
    except ssl.SSLError:
        raise ConfigError(f"ca_file {ca_file}: holds no certificate; {allowed}") from None
    except OSError as error:
        raise ConfigError(f"ca_file {ca_file}: {error.strerror or error}; {allowed}") from None


def complaint(root: Path, comm_path: Path, text: str, mqtt: Mqtt) -> str:
    """What is wrong with the files that ``[mqtt]`` names: file, line, what is allowed; "" when nothing is."""
    try:
        password(below(root, mqtt.password_file), mqtt.username)
    except ConfigError as error:
        return f"{toml_place.at(comm_path, text, 'mqtt.password_file')}: mqtt.{error}"
    try:
        trust(tls=mqtt.tls, ca_file=below(root, mqtt.ca_file))
    except ConfigError as error:
        return f"{toml_place.at(comm_path, text, 'mqtt.ca_file')}: mqtt.{error}"
    return ""


def why_not(error: OSError, place: str, host: str, ca_file: Path | None, *, tls: bool) -> str:
    """Why connecting to ``place`` failed, and what to do about it."""
    if not tls:
        if isinstance(error, TimeoutError):
            return f"{place} does not answer; if it is a TLS listener, set tls = true"
        return f"{place}: {error.strerror or error}"
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, host, ca_file)
    if isinstance(error, TimeoutError) and "handshake" not in str(error):
        return f"{place} does not answer"
    no_tls = isinstance(error, ssl.SSLEOFError | ConnectionResetError | BrokenPipeError | TimeoutError)
    if no_tls or (isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER"):
        return f"{place} does not answer in TLS: port must be that of a TLS listener, as a rule 8883"
    if isinstance(error, ssl.SSLError):
        return f"{place} refuses TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    return f"{place}: {error.strerror or error}"


def _distrust(error: ssl.SSLCertVerificationError, host: str, ca_file: Path | None) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "the broker's certificate has expired: renew it there, or set this machine's clock"
    if code == _NOT_YET_VALID:
        return "the broker's certificate is not valid yet: set this machine's clock, or make it anew there"
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"the broker's certificate is not for {host}: host must be a name in it, or it needs one for {host}"
    if code not in _NO_ISSUER:
        return f"the broker's certificate is not accepted: {error.verify_message}"
    where = "this machine" if ca_file is None else ca_file
    return f"the broker's certificate is signed by no authority of {where}: ca_file must hold its authority's"
