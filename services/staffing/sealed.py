"""Where staffing keeps sealed values."""

from services.kit.sealed import Sealed
from services.staffing.store.people import PURPOSE

SEALED = (Sealed("people", "display_name_sealed", f"'{PURPOSE}'", "'sites/' || site || '/people/' || person_id"),)
