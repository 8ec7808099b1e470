"""Durable deadlines: armed in the command's transaction, fired exactly once each, in real and in virtual time."""

from services.kit.timers.dispatcher import Dispatcher, Fire
from services.kit.timers.servicer import ClockServicer
from services.kit.timers.table import CHANNEL, Timer, arm, arm_columns, cancel, cancel_columns, hint, hold
from services.kit.timers.virtual import VirtualTime

__all__ = [
    "CHANNEL",
    "ClockServicer",
    "Dispatcher",
    "Fire",
    "Timer",
    "VirtualTime",
    "arm",
    "arm_columns",
    "cancel",
    "cancel_columns",
    "hint",
    "hold",
]
