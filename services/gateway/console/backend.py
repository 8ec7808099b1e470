"""The calls that pages make, typed; every one on behalf of the person (or visitor) of the current web request."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as rpc
from kefu.intake.v1 import site_service_pb2 as site_rpc
from kefu.staffing.v1 import person_pb2, staffing_service_pb2

from services.gateway.console.gate import Gate

Reply = TypeVar("Reply", bound=Message)
_CONVERSATIONS: Final = "kefu.intake.v1.ConversationService"
_SITES: Final = "kefu.intake.v1.SiteService"
_STAFFING: Final = "kefu.staffing.v1.StaffingService"
THREAD: Final = 500

# Action of a page → method and request that only need the name.
PLAIN: Final[Mapping[str, tuple[str, Callable[..., Message]]]] = {
    "accept": ("AcceptConversation", rpc.AcceptConversationRequest),
    "decline": ("DeclineConversation", rpc.DeclineConversationRequest),
    "hold": ("HoldForVerification", rpc.HoldForVerificationRequest),
    "resume": ("ResumeConversation", rpc.ResumeConversationRequest),
    "reopen": ("ReopenConversation", rpc.ReopenConversationRequest),
    "need": ("RecordNeed", rpc.RecordNeedRequest),
    "transfer": ("TransferConversation", rpc.TransferConversationRequest),
    "redirect": ("RedirectConversation", rpc.RedirectConversationRequest),
    "harassment": ("ReportHarassment", rpc.ReportHarassmentRequest),
    "release": ("ReleaseHold", rpc.ReleaseHoldRequest),
    "close": ("CloseConversation", rpc.CloseConversationRequest),
    "rate": ("RateConversation", rpc.RateConversationRequest),
    "leave": ("LeaveConversation", rpc.LeaveConversationRequest),
}


class Backend:
    """Calls for one site. `visitor` makes them as the customer of the site's chat page."""

    def __init__(self, gate: Gate, site: str, *, visitor: bool = False) -> None:
        self._gate = gate
        self._visitor = visitor
        self.site = site
        self.parent = f"sites/{site}"

    def _call(self, method: str, request: Message, reply: type[Reply]) -> Reply:
        if self._visitor:
            return self._gate.customer_call(self.site, method, request, reply)
        return self._gate.call(method, request, reply)

    def name(self, conversation: str) -> str:
        """The resource name of a conversation."""
        return f"{self.parent}/conversations/{conversation}"

    def create(self, *, customer: str, customer_name: str, queue: str, text: str, request_id: str) -> pb.Conversation:
        """Opens a conversation of web chat."""
        opened = pb.Conversation(
            channel=pb.CHANNEL_WEB, customer=customer, customer_name=customer_name, queue=queue, subject=text[:80]
        )
        request = rpc.CreateConversationRequest(
            parent=self.parent, conversation=opened, first_message=text, request_id=request_id or new_id()
        )
        return self._call(f"{_CONVERSATIONS}/CreateConversation", request, pb.Conversation)

    def conversation(self, conversation: str) -> pb.Conversation:
        """One conversation."""
        request = rpc.GetConversationRequest(name=self.name(conversation))
        return self._call(f"{_CONVERSATIONS}/GetConversation", request, pb.Conversation)

    def conversations(self, **filters: Any) -> rpc.ListConversationsResponse:
        """A page of conversations; filters as in the contract."""
        request = rpc.ListConversationsRequest(parent=self.parent, **filters)
        return self._call(f"{_CONVERSATIONS}/ListConversations", request, rpc.ListConversationsResponse)

    def messages(self, conversation: str) -> Sequence[pb.Message]:
        """The thread, up to THREAD messages a page, all pages."""
        found: list[pb.Message] = []
        token = ""
        while True:
            request = rpc.ListMessagesRequest(parent=self.name(conversation), page_size=THREAD, page_token=token)
            reply = self._call(f"{_CONVERSATIONS}/ListMessages", request, rpc.ListMessagesResponse)
            found.extend(reply.messages)
            token = reply.next_page_token
            if not token:
                return found

    def history(self, conversation: str) -> Sequence[rpc.HistoryEntry]:
        """The latest entries of the history."""
        request = rpc.ListHistoryRequest(parent=self.name(conversation), page_size=200)
        return self._call(f"{_CONVERSATIONS}/ListHistory", request, rpc.ListHistoryResponse).entries

    def append(self, conversation: str, message: pb.Message, *, request_id: str) -> pb.Message:
        """Adds a message."""
        request = rpc.AppendMessageRequest(
            parent=self.name(conversation), message=message, request_id=request_id or new_id()
        )
        return self._call(f"{_CONVERSATIONS}/AppendMessage", request, pb.Message)

    def attach(
        self, conversation: str, *, file_name: str, media_type: str, content: bytes, request_id: str
    ) -> pb.Attachment:
        """Stores a file for a conversation."""
        request = rpc.CreateAttachmentRequest(
            parent=self.name(conversation),
            attachment=pb.Attachment(file_name=file_name, media_type=media_type),
            content=content,
            request_id=request_id or new_id(),
        )
        return self._call(f"{_CONVERSATIONS}/CreateAttachment", request, pb.Attachment)

    def attachment(self, conversation: str, attachment: str) -> rpc.AttachmentContent:
        """A file with its content."""
        request = rpc.GetAttachmentRequest(name=f"{self.name(conversation)}/attachments/{attachment}")
        return self._call(f"{_CONVERSATIONS}/GetAttachment", request, rpc.AttachmentContent)

    def act(self, action: str, conversation: str, **arguments: Any) -> pb.Conversation:
        """One of PLAIN, with further fields of its request."""
        method, request = PLAIN[action]
        message = request(name=self.name(conversation), request_id=new_id(), **arguments)
        return self._call(f"{_CONVERSATIONS}/{method}", message, pb.Conversation)

    def wallboard(self) -> site_rpc.Wallboard:
        """The site now."""
        request = site_rpc.GetWallboardRequest(parent=self.parent)
        return self._call(f"{_SITES}/GetWallboard", request, site_rpc.Wallboard)

    def report(self, since: datetime, until: datetime) -> site_rpc.ServiceLevelReport:
        """Promises of a period."""
        return self._call(f"{_SITES}/GetServiceLevelReport", self._period(since, until), site_rpc.ServiceLevelReport)

    def report_csv(self, since: datetime, until: datetime) -> site_rpc.ExportServiceLevelReportResponse:
        """The same as a file."""
        request, reply = self._period(since, until), site_rpc.ExportServiceLevelReportResponse
        return self._call(f"{_SITES}/ExportServiceLevelReport", request, reply)

    def _period(self, since: datetime, until: datetime) -> site_rpc.GetServiceLevelReportRequest:
        return site_rpc.GetServiceLevelReportRequest(parent=self.parent, **{"from": stamp(since), "to": stamp(until)})

    def people(self) -> Sequence[person_pb2.Person]:
        """People of the site."""
        request = staffing_service_pb2.ListPeopleRequest(parent=self.parent, page_size=500)
        return self._call(f"{_STAFFING}/ListPeople", request, staffing_service_pb2.ListPeopleResponse).people

    def set_presence(self, person: str, state: str) -> person_pb2.Presence:
        """Sets a person's presence, for example "AVAILABLE"."""
        request = staffing_service_pb2.SetPresenceRequest(
            name=f"{self.parent}/people/{person}",
            state=person_pb2.Presence.State.Value(f"STATE_{state}"),
            request_id=new_id(),
        )
        return self._call(f"{_STAFFING}/SetPresence", request, person_pb2.Presence)


def new_id() -> str:
    """An idempotency key for a write that no form retries."""
    return str(uuid.uuid4())


def stamp(at: datetime) -> Timestamp:
    """The wire form of an instant."""
    made = Timestamp()
    made.FromDatetime(at)
    return made
