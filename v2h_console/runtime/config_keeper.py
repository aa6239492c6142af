"""/etc/energy as the owner keeps it: the last good configuration, and edits that are taken whole or not at all.

A file that is broken at the start does not keep the house dark: the owner starts on the last configuration that was good
(all files of that start together), and says which file and line it could not take. An edit goes through the owner: it names
the hash of what was edited, so that nobody's change is lost, and is checked as a start would check it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from v2h_console.session.orders import Order, Receipt
from v2h_console.site import broker, last_good, reader
from v2h_console.site.errors import ConfigError
from v2h_console.site.reader import FILES, Site, Texts
from v2h_console.storage import whole_file
from v2h_console.storage.disk import DISK, Disk

#: What a file was before an edit, of each file; the oldest goes.
KEPT = 20
#: A copy that the disk refused is tried again this often.
RETRY_S = 1.0
#: Ten times the longest load table; a whole edit must fit into one message of the wire.
MOST_TEXT = 64 * 1024


class EditRefused(Exception):
    """The edit was not taken. ``str()`` is one line for the person."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A site that an owner can start on. ``complaint``: which file and line was not taken; "" = all were.
    ``unkept``: why the copy of it could not be written; "" = it stands."""

    site: Site
    texts: Texts
    complaint: str = ""
    unkept: str = ""


class ConfigKeeper:
    """``save`` and ``edit`` from any thread; one edit at a time."""

    def __init__(self, root: Path, *, disk: Disk = DISK, wall_s: Callable[[], float] = time.time) -> None:
        self._root, self._disk, self._wall_s = root, disk, wall_s
        self._folder = root / last_good.FOLDER
        self._editing = threading.Lock()
        #: What this process kept, in its order: whatever the clock says, nothing on the disk is younger.
        self._own: deque[str] = deque(maxlen=KEPT * len(FILES))
        #: What the owner started on, and which file was edited since to say something else, and when (local time).
        self._started: Texts = {}
        self._edited: dict[str, str] = {}
        #: Hears what only the next start takes up, "" for nothing.
        self.on_edited: Callable[[str], None] | None = None

    def load(self, *, adopt: bool = True) -> Loaded:
        """The site as its files say, or as the last good ones said. Raises ConfigError when there are none.

        What is good is what a later start falls back to, unless ``adopt`` comes later: nobody may run on it yet.
        """
        loaded = self._load()
        self._started = loaded.texts
        return self.adopt(loaded) if adopt else loaded

    def adopt(self, loaded: Loaded) -> Loaded:
        """An owner runs on it: keep it as the last good one, where it is no older one itself."""
        if loaded.complaint:
            return loaded
        try:
            self._keep(loaded.texts)
        except OSError as error:
            return replace(loaded, unkept=error.strerror or str(error))
        return loaded

    def _load(self) -> Loaded:
        try:
            texts: Texts = reader.read_texts(self._root)
            last_good.check_missing(self._root, texts, self._disk)
            site = reader.site_of(self._root, texts)
        except ConfigError as error:
            # Without the file that names the devices there is no site: that is no slip of a pen.
            if not reader.is_configured(self._root):
                raise
            good = last_good.read(self._root, self._disk)
            if good is None:
                raise
            at, texts = good
            try:
                site = reader.site_of(self._root, texts)
            except ConfigError:
                raise error from None
            return Loaded(
                site, texts, f"{error}. The last good configuration, of {at}, is used until the next start"
            )
        return Loaded(site, texts)

    def keep(
        self, loaded: Loaded, failed: Callable[[str], None], retry_s: float = RETRY_S
    ) -> threading.Thread:
        """Write the copy that the disk refused at the start, once it takes it; ``failed`` hears why, and "" then."""

        def keep() -> None:
            failed(loaded.unkept)
            while True:
                time.sleep(retry_s)
                with suppress(OSError):
                    self._keep(loaded.texts)
                    failed("")
                    return

        thread = threading.Thread(target=keep, name="configuration", daemon=True)
        if loaded.unkept:
            thread.start()
        return thread

    def edit(self, order: Order) -> Future[Receipt]:
        """Carry out `config.save` in a thread of its own: whoever asks for an opening meanwhile waits for no disk."""
        answer: Future[Receipt] = Future()
        threading.Thread(target=self._edit, args=(order, answer), name="configuration", daemon=True).start()
        return answer

    def save(self, name: str, text: str, edited_sha256: str) -> str:
        """Take an edit; what became of it, for the person. Raises EditRefused; nothing has changed then."""
        if name not in FILES:
            raise EditRefused(f"no such file: {name[:40]!r}; there are {', '.join(FILES)}")
        if len(text.encode("utf-8", "replace")) > MOST_TEXT:
            raise EditRefused(f"{name}: longer than {MOST_TEXT} bytes")
        with self._editing:
            path = reader.config_path(self._root, name)
            before = self._edited_from(path, edited_sha256)
            broken, left = self._check(name, text)
            try:
                content = text.encode("utf-8")
            except UnicodeEncodeError:
                raise EditRefused(f"{path}: not UTF-8 text") from None
            unsure = ""
            try:
                kept = self._keep_before(name, before)
            except OSError as error:
                raise EditRefused(f"{path}: cannot be written: {error.strerror or error}") from None
            try:
                # Who could read it before still can: the service's umask takes that from everybody else.
                whole_file.write(
                    path,
                    content,
                    disk=self._disk,
                    mode=self._mode(path),
                    whatever_the_umask=True,
                    # A person at the machine may save it while the disk is slow.
                    last_look=lambda: self._edited_from(path, edited_sha256),
                )
            except OSError as error:
                why = error.strerror or str(error)
                if not self._stands(path, content):
                    raise EditRefused(f"{path}: cannot be written: {why}") from None
                # The name has changed hands already: saying that nothing changed would be untrue.
                unsure = (
                    f". The disk did not confirm it ({why}): a power failure may bring the one before back"
                )
            self._note_edit(name, text)
        stands = f"; the one before is {kept}" if kept else ""
        still = f". Still to be corrected: {left}" if left else ""
        when = "from the first start that finds the rest right" if broken else "from the owner's next start"
        return f"{path} is saved{stands}. It is in effect {when}{unsure}{still}"

    def _edited_from(self, path: Path, edited_sha256: str) -> bytes | None:
        """What stands there, ``None`` where nothing does, if it is what was edited. Raises EditRefused."""
        if os.path.islink(path):
            raise EditRefused(
                f"{path}: is a link, which an edit would turn into a file of its own: edit by hand what it leads to"
            )
        try:
            before = self._disk.read(path)
        except FileNotFoundError:
            before = None
        except OSError as error:
            raise EditRefused(f"{path}: cannot be read: {error.strerror or error}") from None
        if digest(before) != edited_sha256:
            raise EditRefused(
                f"{path}: somebody else changed it meanwhile; read it again, then make the change again"
            )
        return before

    def look_again(self) -> None:
        """What was edited since ``load`` counts from the next start: an edit that the owner before took while this one
        took over is in the file and nowhere else."""
        with self._editing, suppress(ConfigError):
            for name, text in reader.read_texts(self._root).items():
                if text is not None and text != self._started.get(name):
                    self._note_edit(name, text)

    def _stands(self, path: Path, content: bytes) -> bool:
        try:
            return self._disk.read(path) == content
        except OSError:
            return False

    def _note_edit(self, name: str, text: str) -> None:
        """An edit that goes back to what the owner runs on leaves nothing for the next start."""
        self._edited.pop(name, None)
        if text != self._started.get(name):
            self._edited[name] = time.strftime("%H:%M", time.localtime(self._wall_s()))
        if self.on_edited is not None:
            at = (f"{name} was edited at {when}" for name, when in self._edited.items())
            self.on_edited(f"{', '.join(at)}: counts from the owner's next start" if self._edited else "")

    def _check(self, name: str, text: str) -> tuple[bool, str]:
        """As a start would; whether another file keeps a start from it, and what is wrong all the same. Raises EditRefused."""
        try:
            last_good.check_missing(self._root, {name: text}, self._disk, (name,))
        except ConfigError as error:
            raise EditRefused(str(error)) from None
        others, broken = self._others(name)
        if broken:
            # Two files that are broken are corrected one after the other: this one is held against what was good.
            good = last_good.read(self._root, self._disk)
            if good is None:
                raise EditRefused(broken)
            others = good[1]
        try:
            site = reader.site_of(self._root, {**others, name: text})
        except ConfigError as error:
            raise EditRefused(str(error)) from None
        if not broken and name == "comm_stack.conf" and site.comm.mqtt is not None:
            # No reason to refuse: a start takes it, and the files may come after it.
            path = reader.config_path(self._root, name)
            return False, broker.complaint(self._root, path, text, site.comm.mqtt)
        return bool(broken), broken

    def _others(self, name: str) -> tuple[Texts, str]:
        """The files beside this one, and what is wrong in one of them by itself."""
        texts: dict[str, str | None] = {}
        try:
            for other in FILES:
                if other != name:
                    texts.update(reader.read_texts(self._root, (other,)))
                    reader.parse_alone(self._root, other, texts[other])
            last_good.check_missing(self._root, texts, self._disk, set(FILES) - {name})
        except ConfigError as error:
            return texts, str(error)
        return texts, ""

    def _edit(self, order: Order, answer: Future[Receipt]) -> None:
        try:
            name, text, edited = (order.params.get(key) for key in ("file", "text", "edited_sha256"))
            if not isinstance(name, str) or not isinstance(text, str) or not isinstance(edited, str):
                raise EditRefused("config.save needs file, text and edited_sha256")
            answer.set_result(Receipt(order.nonce, accepted=True, reason=self.save(name, text, edited)))
        except EditRefused as refused:
            answer.set_result(Receipt(order.nonce, accepted=False, reason=_one_line(str(refused))))
        except Exception as error:  # noqa: BLE001  (whoever asked must hear of a defect too)
            answer.set_result(Receipt(order.nonce, accepted=False, reason=f"{type(error).__name__}: {error}"))

    def _keep_before(self, name: str, before: bytes | None) -> Path | None:
        if before is None:
            return None
        self._disk.make_folder(self._folder)
        kept = self._folder / f"{name}.{self._now():%Y%m%dT%H%M%S.%fZ}"
        whole_file.write(kept, before, disk=self._disk, mode=0o640)
        self._own.append(kept.name)
        with suppress(OSError):
            found = {n for n in self._disk.names(self._folder) if n.startswith(f"{name}.")}
            own = [one for one in self._own if one in found]
            for old in [*sorted(found.difference(own)), *own][:-KEPT]:
                self._disk.remove(self._folder / old)
        return kept

    def _now(self) -> datetime:
        try:
            return datetime.fromtimestamp(self._wall_s(), UTC)
        except (ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(0, UTC)

    def _mode(self, path: Path) -> int:
        try:
            return stat.S_IMODE(path.stat().st_mode)
        except OSError:
            # As `v2h-console install` makes its neighbours: an installer who is not the service reads it to edit it.
            return 0o644

    def _keep(self, texts: Texts) -> None:
        """The copy that a later start falls back to; written only when it says something else than the one there."""
        good = last_good.read(self._root, self._disk)
        if good is not None and good[1] == texts:
            return
        at = self._now().isoformat(timespec="seconds")
        last_good.write(self._root, texts, at, self._disk)


def digest(content: bytes | None) -> str:
    """The hash by which an edit names what it began from; "" where there was no file."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def hashes(texts: Texts) -> dict[str, str]:
    """The hash of each file, for the audit."""
    return {name: digest(None if text is None else text.encode("utf-8")) for name, text in texts.items()}


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:400]
