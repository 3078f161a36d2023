"""Leads and events as of a moment, as bins and numbers."""

from leadml.features.moments import DERIVED_PARTS, moment_of, part_of
from leadml.features.reading import Readings, read_column, reader_of

__all__ = ["DERIVED_PARTS", "Readings", "moment_of", "part_of", "read_column", "reader_of"]
