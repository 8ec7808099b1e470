"""Where intake keeps sealed values."""

from services.intake.convert import CUSTOMER_NAME, PERSON_NAME
from services.kit.sealed import Sealed

SEALED = (
    Sealed("conversations", "customer_name_sealed", f"'{CUSTOMER_NAME}'", "site || '/' || customer"),
    Sealed("agents", "display_name_sealed", f"'{PERSON_NAME}'", "site || '/' || person"),
)
