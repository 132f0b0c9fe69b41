"""What decoding raises when bytes are not the message they should be."""

import msgspec

# msgspec lets two of Python's own errors through: for text that is not UTF-8, and for nesting without an end.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
