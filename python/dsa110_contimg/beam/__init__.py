"""Primary beams of a user's own."""

from dsa110_contimg.beam.files import describe

__all__ = ["describe"]
