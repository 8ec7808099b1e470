"""The calls of the customers' pages to crm, typed; every one on behalf of the person of the current web request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from kefu.crm.v1 import customer_pb2, points_service_pb2, privacy_service_pb2, tier_service_pb2
from kefu.crm.v1 import customer_service_pb2 as customer_api

from services.gateway.console.backend import new_id
from services.gateway.console.gate import Gate

Reply = TypeVar("Reply", bound=Message)
_CRM: Final = "kefu.crm.v1"
RECENT: Final = 50


class Crm:
    """Calls for one site. A customer is named by the id alone."""

    def __init__(self, gate: Gate, site: str) -> None:
        self._gate = gate
        self.parent = f"sites/{site}"

    def _call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        return self._gate.call(f"{_CRM}.{method}", request, reply)

    def name(self, customer: str) -> str:
        """The resource name of a customer."""
        return f"{self.parent}/customers/{customer}"

    def customers(self, **filters: Any) -> customer_api.ListCustomersResponse:
        """A page of customers; filters as in the contract."""
        request = customer_api.ListCustomersRequest(parent=self.parent, page_size=RECENT, **filters)
        return self._call("CustomerService/ListCustomers", request, customer_api.ListCustomersResponse)

    def look_up(self, channel: str, external_id: str) -> customer_pb2.Customer:
        """The customer behind an identity."""
        request = customer_api.LookUpCustomerRequest(parent=self.parent, channel=channel, external_id=external_id)
        return self._call("CustomerService/LookUpCustomer", request, customer_pb2.Customer)

    def customer(self, customer: str) -> customer_pb2.Customer:
        """One customer, masked."""
        request = customer_api.GetCustomerRequest(name=self.name(customer))
        return self._call("CustomerService/GetCustomer", request, customer_pb2.Customer)

    def verify(self, customer: str) -> None:
        """Notes that the file was checked."""
        request = customer_api.VerifyCustomerRequest(name=self.name(customer), request_id=new_id())
        self._call("CustomerService/VerifyCustomer", request, customer_pb2.Customer)

    def timeline(self, customer: str) -> customer_api.ListTimelineResponse:
        """What happened lately."""
        request = customer_api.ListTimelineRequest(parent=self.name(customer), page_size=RECENT)
        return self._call("CustomerService/ListTimeline", request, customer_api.ListTimelineResponse)

    def consents(self, customer: str) -> customer_api.ListConsentsResponse:
        """What was agreed to and withdrawn."""
        request = customer_api.ListConsentsRequest(parent=self.name(customer), page_size=RECENT)
        return self._call("CustomerService/ListConsents", request, customer_api.ListConsentsResponse)

    def standing(self, customer: str) -> tier_service_pb2.Standing:
        """The tier and why."""
        request = tier_service_pb2.GetStandingRequest(parent=self.name(customer))
        return self._call("TierService/GetStanding", request, tier_service_pb2.Standing)

    def tier_map(self) -> tier_service_pb2.TierMap:
        """Sizes of the tiers and the moves of a month."""
        request = tier_service_pb2.GetTierMapRequest(parent=self.parent)
        return self._call("TierService/GetTierMap", request, tier_service_pb2.TierMap)

    def preferences(self) -> tier_service_pb2.PreferenceReport:
        """What customers of each tier like."""
        request = tier_service_pb2.GetPreferenceReportRequest(parent=self.parent)
        return self._call("TierService/GetPreferenceReport", request, tier_service_pb2.PreferenceReport)

    def points(self, customer: str) -> points_service_pb2.Points:
        """The balance."""
        request = points_service_pb2.GetPointsRequest(parent=self.name(customer))
        return self._call("PointsService/GetPoints", request, points_service_pb2.Points)

    def statement(self, customer: str) -> points_service_pb2.ListPointEntriesResponse:
        """The latest transfers of points."""
        request = points_service_pb2.ListPointEntriesRequest(parent=self.name(customer), page_size=RECENT)
        return self._call("PointsService/ListPointEntries", request, points_service_pb2.ListPointEntriesResponse)

    def coupons(self, customer: str) -> points_service_pb2.ListCouponsResponse:
        """The latest coupons."""
        request = points_service_pb2.ListCouponsRequest(parent=self.name(customer), page_size=RECENT)
        return self._call("PointsService/ListCoupons", request, points_service_pb2.ListCouponsResponse)

    def set_consent(self, customer: str, consent: customer_pb2.Consent) -> None:
        """Notes what was agreed to or withdrawn."""
        request = customer_api.SetConsentRequest(name=self.name(customer), consent=consent, request_id=new_id())
        self._call("CustomerService/SetConsent", request, customer_pb2.Consent)

    def merge(self, customer: str, into: str) -> None:
        """Lets a file count for another one; without one, for itself again."""
        if into:
            merged = customer_api.MergeCustomerRequest(
                name=self.name(customer), into=self.name(into), request_id=new_id()
            )
            self._call("CustomerService/MergeCustomer", merged, customer_pb2.Customer)
        else:
            undone = customer_api.UnmergeCustomerRequest(name=self.name(customer), request_id=new_id())
            self._call("CustomerService/UnmergeCustomer", undone, customer_pb2.Customer)

    def grant_points(self, customer: str, *, points: int, cause: str, reference: str) -> None:
        """Gives points."""
        request = points_service_pb2.GrantPointsRequest(
            parent=self.name(customer), points=points, cause=cause, reference=reference, request_id=new_id()
        )
        self._call("PointsService/GrantPoints", request, points_service_pb2.Points)

    def ask_unmask(self, customer: str, reason: str) -> str:
        """Asks for leave to see the clear data; returns the grant's name."""
        request = customer_api.RequestUnmaskRequest(parent=self.name(customer), reason=reason, request_id=new_id())
        return self._call("CustomerService/RequestUnmask", request, customer_pb2.UnmaskGrant).name

    def unmask(self, grant: str) -> customer_pb2.Customer:
        """The clear data by a grant's name."""
        request = customer_api.UnmaskCustomerRequest(name=grant, request_id=new_id())
        return self._call("CustomerService/UnmaskCustomer", request, customer_pb2.Customer)

    def grants(self) -> customer_api.ListUnmaskGrantsResponse:
        """Requests for leave that wait for a second person."""
        request = customer_api.ListUnmaskGrantsRequest(parent=self.parent, page_size=RECENT)
        return self._call("CustomerService/ListUnmaskGrants", request, customer_api.ListUnmaskGrantsResponse)

    def decide(self, grant: str, *, granted: bool) -> None:
        """Grants or refuses by a grant's name."""
        request = customer_api.DecideUnmaskRequest(name=grant, granted=granted, request_id=new_id())
        self._call("CustomerService/DecideUnmask", request, customer_pb2.UnmaskGrant)

    def data_requests(self) -> privacy_service_pb2.ListDataRequestsResponse:
        """The latest requests of data subjects."""
        request = privacy_service_pb2.ListDataRequestsRequest(parent=self.parent, page_size=RECENT)
        return self._call("PrivacyService/ListDataRequests", request, privacy_service_pb2.ListDataRequestsResponse)

    def open_request(self, customer: str, kind: str) -> None:
        """Opens a data subject's request, for example an "EXPORT"."""
        request = privacy_service_pb2.CreateDataRequestRequest(
            parent=self.parent,
            customer=self.name(customer),
            kind=privacy_service_pb2.DataRequest.Kind.Value(f"KIND_{kind}"),
            request_id=new_id(),
        )
        self._call("PrivacyService/CreateDataRequest", request, privacy_service_pb2.DataRequest)

    def act(self, action: str, data_request: str, words: str) -> None:
        """One of verify, fulfil, refuse."""
        name = f"{self.parent}/dataRequests/{data_request}"
        api = privacy_service_pb2
        request: Message
        if action == "verify":
            request = api.VerifyDataRequestRequest(name=name, note=words, request_id=new_id())
        elif action == "refuse":
            request = api.RefuseDataRequestRequest(name=name, reason=words, request_id=new_id())
        else:
            request = api.FulfilDataRequestRequest(name=name, request_id=new_id())
        self._call(f"PrivacyService/{action.capitalize()}DataRequest", request, api.DataRequest)

    def export(self, data_request: str) -> Iterator[privacy_service_pb2.DataExport]:
        """The export of a fulfilled request: what is known, then files, page by page."""
        request = privacy_service_pb2.FetchDataExportRequest(name=f"{self.parent}/dataRequests/{data_request}")
        while True:
            page = self._call("PrivacyService/FetchDataExport", request, privacy_service_pb2.DataExport)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return
