"""Where qa keeps sealed values."""

from services.kit.sealed import Sealed
from services.qa.commands.draws import SECRET_PURPOSE
from services.qa.domain.content import KEY_PURPOSE

SEALED = (
    Sealed("contents", "key_sealed", f"'{KEY_PURPOSE}'", "'sites/' || site || '/recordings/' || recording_id"),
    Sealed("commitments", "secret_sealed", f"'{SECRET_PURPOSE}'", "'sites/' || site || '/commitments/' || key"),
)
