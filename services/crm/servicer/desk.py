"""What every servicer of crm needs: names, pages, and the desk."""

from __future__ import annotations

from typing import Any, Final

from services.kit import pages
from services.kit.resource_names import ResourceName
from services.policy.desk import Desk

__all__ = ["COUPON", "CUSTOMER", "GRANT", "LAST", "REQUEST", "SITE", "Context", "Desk", "number_of", "size_of"]

SITE: Final = ResourceName("sites/{site}")
CUSTOMER: Final = ResourceName("sites/{site}/customers/{customer}")
GRANT: Final = ResourceName("sites/{site}/customers/{customer}/unmaskGrants/{grant}")
REQUEST: Final = ResourceName("sites/{site}/dataRequests/{data_request}")
CAMPAIGN: Final = ResourceName("sites/{site}/campaigns/{campaign}")
COUPON: Final = ResourceName("sites/{site}/coupons/{coupon}")
COMMITMENT: Final = ResourceName("sites/{site}/commitments/{commitment}")
SURVEY: Final = ResourceName("sites/{site}/surveys/{survey}")
TASK: Final = ResourceName("sites/{site}/contactTasks/{task}")
WIN_BACK: Final = ResourceName("sites/{site}/winBacks/{case}")
PAGE_MOST: Final = 500
# Above every number of a table's own identity column.
LAST: Final = 2**63 - 1

Context = Any


def size_of(request: Any) -> int:
    """Entries of a page."""
    return pages.page_size(request.page_size, most=PAGE_MOST)


def number_of(request: Any) -> int:
    """The number before which a page begins."""
    return int((pages.decode(request) or [LAST])[0])
