"""Where qa keeps sealed values."""

from services.kit.sealed import Sealed

SEALED: tuple[Sealed, ...] = ()
