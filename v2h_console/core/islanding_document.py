"""The islanding table as docs/islanding.md shows it."""

from __future__ import annotations

from v2h_console.core import islanding


def diagram() -> str:
    """The table as a Mermaid state diagram, for docs/islanding.md."""
    lines = ["stateDiagram-v2", "    [*] --> BOOT_OPEN: start"]
    for edge in islanding.TABLE:
        lines.extend(
            f"    {source.name} --> {edge.target.name}: {edge.event} [{edge.words}]"
            for source in edge.sources
        )
    return "\n".join(lines) + "\n"


def document() -> str:
    """docs/islanding.md: the diagram and the table in words, in the order in which the edges are tried."""
    rows = [
        f"| {', '.join(source.name for source in edge.sources)} | {edge.event}: {edge.words} | {edge.target.name} |"
        for edge in islanding.TABLE
    ]
    return "\n".join(
        [
            "# The islanding machine",
            "",
            "Written by `scripts/diagram` from the table in `v2h_console/core/islanding.py`; a test compares the two.",
            "",
            "```mermaid",
            diagram().rstrip("\n"),
            "```",
            "",
            "The first row whose condition holds is taken, top to bottom; a step follows rows until none holds.",
            "",
            "| from | event: condition | to |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )
