"""The library of Google's signatures, where it is installed. Only those who need it load it, and only they miss it."""

from __future__ import annotations

from typing import Any

MISSING = "Google's signatures need two of the system's libraries: apt install python3-jwt python3-cryptography, then restart"


class LibraryMissing(ValueError):
    """It is not installed; the text says what to do."""


def library() -> Any:
    """PyJWT's module. Raises LibraryMissing."""
    try:
        import cryptography  # noqa: F401, PLC0415 - without it PyJWT cannot sign, and says so late
        import jwt  # noqa: PLC0415 - see above
    except ImportError:
        raise LibraryMissing(MISSING) from None
    return jwt
