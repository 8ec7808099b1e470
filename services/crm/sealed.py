"""Where crm keeps sealed values."""

from services.crm.store.words import PURPOSE as WORDS
from services.kit.sealed import Sealed

_CUSTOMER = "'sites/' || site || '/customers/' || customer_id"

SEALED = (
    *(
        Sealed("customers", f"{name}_sealed", f"'crm.customers.{name}'", _CUSTOMER)
        for name in ("name", "phone", "email", "address")
    ),
    Sealed("identities", "external_sealed", "'crm.identities.' || channel", _CUSTOMER),
    Sealed("care_words", "sealed", f"'{WORDS}'", "object || '/' || kind"),
)
