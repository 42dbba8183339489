"""Text that has a bound."""

from __future__ import annotations


def cut(text: str, longest: int) -> str:
    """The text, or as many of its first characters, and how many are missing."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest:,} characters cut)"
