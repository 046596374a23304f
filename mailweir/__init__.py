"""Mailweir: stalls mail that cannot be scanned, and shows what became of every message."""

__version__ = "0.1.0"
