"""Certificate authorities and certificates, made by openssl for the time of a test."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HAS_OPENSSL = shutil.which("openssl") is not None
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files."""

    file: Path
    key: Path


class Authority:
    """One that signs what it is asked to."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self.file = folder / f"{name}.pem"
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        options = [word for one in extensions for word in ("-addext", one)]
        self._openssl(
            *("req", "-x509", *_KEY, "-keyout", f"{name}.key", "-out", self.file.name),
            *("-subj", f"/CN={name}", "-days", "2", *options),
        )

    def signs(self, name: str, alternative_names: str, days: int = 2) -> Certificate:
        """A server's certificate; -1 days: one that has expired."""
        made = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        request, extensions = f"{name}.csr", self._folder / f"{name}.ext"
        self._openssl("req", *_KEY, "-keyout", made.key.name, "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(
            f"subjectAltName={alternative_names}\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n"
        )
        self._openssl(
            *("x509", "-req", "-in", request, "-CA", self.file.name, "-CAkey", f"{self._name}.key"),
            *("-CAcreateserial", "-out", made.file.name, "-extfile", extensions.name, "-days", str(days)),
        )
        return made

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self._folder, capture_output=True, text=True, check=False, timeout=30
        )
        assert done.returncode == 0, done.stderr
