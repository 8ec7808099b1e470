"""The RPC edge of the core: convert, call, convert. Reading is in `reads`; both are one service of the contract."""

from __future__ import annotations

from typing import Any

from kefu.intake.v1 import conversation_pb2 as pb
from kefu.intake.v1 import conversation_service_pb2 as api
from kefu.intake.v1 import conversation_service_pb2_grpc as api_grpc

from services.intake import convert
from services.intake.commands.group import Commands
from services.intake.commands.job import ConversationAnswer, Job, MessageAnswer
from services.intake.convert import Converter
from services.intake.domain import commands as c
from services.intake.domain.commands import Command
from services.intake.servicer.callers import caller_of, simulated
from services.kit.call import current

Context = Any


class ConversationWrites(api_grpc.ConversationServiceServicer):
    """The commands of kefu.intake.v1.ConversationService."""

    def __init__(self, commands: Commands, converter: Converter, *, simulation: bool) -> None:
        self._commands = commands
        self._converter = converter
        self._conversation = ConversationAnswer(converter)
        self._simulation = simulation

    async def CreateConversation(self, request: api.CreateConversationRequest, context: Context) -> pb.Conversation:
        """Open a conversation, or find the one to which it belongs."""
        call, given = current(), request.conversation
        caller = caller_of(call)
        claims, customer = call.principal.claims, given.customer or caller.customer
        command = c.Open(
            channel=convert.channel_name(given.channel),
            external_id=given.external_id,
            queue=given.queue,
            customer=customer,
            customer_name_sealed=self._converter.seal_customer(
                call.site, customer, given.customer_name or str(claims.get("name", ""))
            ),
            subject=given.subject,
            text=request.first_message,
            tier=str(claims.get("tier", "")) if caller.customer else "",
            simulated=simulated(call, request.simulated, allowed=self._simulation),
        )
        return await self._commands.run(Job(call, caller, call.site, "", command, self._conversation))

    async def AppendMessage(self, request: api.AppendMessageRequest, context: Context) -> pb.Message:
        """Add a message, note or attachment."""
        call, given = current(), request.message
        kind = convert.message_kind(given.kind)
        command = c.Append(kind, given.text, given.external_id, given.attachment)
        id_ = request.parent.rpartition("/")[2]
        return await self._commands.run(Job(call, caller_of(call), call.site, id_, command, MessageAnswer(command)))

    async def AcceptConversation(self, request: api.AcceptConversationRequest, context: Context) -> pb.Conversation:
        """Take what was offered."""
        return await self._change(request.name, c.Accept())

    async def DeclineConversation(self, request: api.DeclineConversationRequest, context: Context) -> pb.Conversation:
        """Give back what was offered."""
        return await self._change(request.name, c.Decline(request.reason))

    async def RecordNeed(self, request: api.RecordNeedRequest, context: Context) -> pb.Conversation:
        """Record need and source."""
        return await self._change(request.name, c.RecordNeed(request.need, request.source))

    async def TransferConversation(self, request: api.TransferConversationRequest, context: Context) -> pb.Conversation:
        """Hand over."""
        return await self._change(request.name, c.Transfer(request.queue, request.person, request.reason))

    async def HoldForVerification(self, request: api.HoldForVerificationRequest, context: Context) -> pb.Conversation:
        """Promise a call back."""
        return await self._change(request.name, c.Hold())

    async def ResumeConversation(self, request: api.ResumeConversationRequest, context: Context) -> pb.Conversation:
        """Take it up again."""
        return await self._change(request.name, c.Resume())

    async def RedirectConversation(self, request: api.RedirectConversationRequest, context: Context) -> pb.Conversation:
        """Move it to another way."""
        target = api.RedirectTarget.Name(request.target).removeprefix("REDIRECT_TARGET_")
        return await self._change(request.name, c.Redirect(target))

    async def ReportHarassment(self, request: api.ReportHarassmentRequest, context: Context) -> pb.Conversation:
        """Stop it because of harassment."""
        return await self._change(request.name, c.ReportHarassment(request.reason))

    async def ReleaseHold(self, request: api.ReleaseHoldRequest, context: Context) -> pb.Conversation:
        """A supervisor's decision."""
        return await self._change(request.name, c.ReleaseHold(request.resume))

    async def EscalateToHuman(self, request: api.EscalateToHumanRequest, context: Context) -> pb.Conversation:
        """From the bot to a person."""
        return await self._change(request.name, c.Escalate())

    async def CloseConversation(self, request: api.CloseConversationRequest, context: Context) -> pb.Conversation:
        """Close."""
        command = c.Close(
            summary=request.summary,
            asked_anything_else=request.asked_anything_else,
            farewell=request.farewell,
            need=request.need,
            source=request.source,
        )
        return await self._change(request.name, command)

    async def RateConversation(self, request: api.RateConversationRequest, context: Context) -> pb.Conversation:
        """Rate."""
        return await self._change(request.name, c.Rate(request.score, request.comment))

    async def LeaveConversation(self, request: api.LeaveConversationRequest, context: Context) -> pb.Conversation:
        """The customer goes."""
        return await self._change(request.name, c.Leave())

    async def ReopenConversation(self, request: api.ReopenConversationRequest, context: Context) -> pb.Conversation:
        """Open it again."""
        return await self._change(request.name, c.Reopen())

    async def ReportRing(self, request: api.ReportRingRequest, context: Context) -> pb.Conversation:
        """A ring of a call."""
        return await self._change(request.name, c.Ring(request.ring))

    async def HangUp(self, request: api.HangUpRequest, context: Context) -> pb.Conversation:
        """The end of a call."""
        return await self._change(request.name, c.HangUp(by_customer=request.side == api.HANG_UP_SIDE_CUSTOMER))

    async def _change(self, name: str, command: Command) -> pb.Conversation:
        call = current()
        id_ = name.rpartition("/")[2]
        return await self._commands.run(Job(call, caller_of(call), call.site, id_, command, self._conversation))
