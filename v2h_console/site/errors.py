"""What is wrong with a site's files: one clear line with file, line, and what would be right."""

from __future__ import annotations


class ConfigError(Exception):
    """A configuration that cannot be used. ``str()`` is the line for the person."""
