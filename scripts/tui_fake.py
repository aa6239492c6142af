"""Run the console's screens on a canned house, to look at them: ``python scripts/tui_fake.py STATE``.

STATE is one of the names in ``tests/tui/houses.py`` (unknown, islanded, tied, returning, fault, silent, hostile), or
``cycle``, which goes through them. With ``--svg FILE`` it writes one screenshot and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tui.houses import HOUSES, FakeSession
from v2h_console.tui.app import ConsoleApp


class CyclingSession(FakeSession):
    """Goes to the next house every five seconds."""

    def watch(self):  # type: ignore[no-untyped-def]  # overrides a typed method for a demonstration only
        names = [name for name in HOUSES if name != "silent"]
        self.show(names[int(time.monotonic() / 5) % len(names)])
        return super().watch()


async def screenshot(app: ConsoleApp, size: tuple[int, int], keys: list[str], target: Path) -> None:
    """Write one screenshot of the application at ``size`` after ``keys`` were pressed."""
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.6)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause(0.1)
        # Renderers without the web font and without textLength (librsvg) need the cells' true width and their blanks.
        svg = app.export_screenshot().replace("<text ", '<text xml:space="preserve" ')
        svg = svg.replace("Fira Code", "DejaVu Sans Mono").replace("font-size: 20px", "font-size: 20.26px")
        target.write_text(svg, encoding="utf-8")


def main() -> int:
    """Parse, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", choices=[*HOUSES, "cycle"])
    parser.add_argument("--no-trainer", action="store_true")
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--keys", default="")
    parser.add_argument("--theme", default="")
    parser.add_argument("--move", action="store_true", help="let the voltages move")
    arguments = parser.parse_args()
    kind = CyclingSession if arguments.state == "cycle" else FakeSession
    session = kind(trainer=not arguments.no_trainer, moving=arguments.move)
    session.show("tied" if arguments.state == "cycle" else arguments.state)
    app = ConsoleApp(session)
    if arguments.theme:
        app.theme = arguments.theme
    if arguments.svg:
        columns, rows = (int(part) for part in arguments.size.split("x"))
        asyncio.run(screenshot(app, (columns, rows), arguments.keys.split(), arguments.svg))
        return 0
    return app.run(mouse=False) or 0


if __name__ == "__main__":
    sys.exit(main())
