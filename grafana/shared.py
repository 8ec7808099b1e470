"""What a dashboard is made of, and the panels that several dashboards show.

In expressions `$sel` stands for the matchers that every series has (job, namespace) and `$ns` for the namespace alone,
for series that rules recorded over jobs. Figures that a worker exposes alone are 0 elsewhere, hence max over instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Text = tuple[str, str]
"""English and Chinese."""

RATE: Final = "[$__rate_interval]"


@dataclass(frozen=True)
class Panel:
    """One panel: queries by legend, a unit of Grafana's, from which value on it is red, whether it shows exemplars."""

    title: Text
    about: Text
    queries: Mapping[str, str]
    unit: str = "short"
    red: float | None = None
    exemplar: bool = False
    stat: bool = False


@dataclass(frozen=True)
class Board:
    """One dashboard; `rows` are its headings with their panels."""

    slug: str
    title: Text
    about: Text
    rows: Mapping[Text, tuple[Panel, ...]]
    sites: bool = field(default=False)


def quantiles(histogram: str, where: str = "$sel") -> dict[str, str]:
    """Median, 95th and 99th percentile of a histogram, in its unit."""
    bucket = f"sum by (le) (rate({histogram}_bucket{{{where}}}{RATE}))"
    return {f"p{round(q * 100)}": f"histogram_quantile({q}, {bucket})" for q in (0.5, 0.95, 0.99)}


WAITING: Final = Panel(
    ("Waiting", "等待中"),
    ("Conversations that wait for a person, by queue.", "等待人工接待的会话数，按队列。"),
    {"{{site}} {{queue}}": 'max by (site, queue) (kefu_intake_queue_waiting{$sel, site=~"$site"})'},
)
OLDEST: Final = Panel(
    ("Longest wait", "最长等待"),
    (
        "Longest wait of those who wait now, as a multiple of the queue's own promise; from 1 on it is broken.",
        "当前最长等待与本队列承诺时限之比；达到 1 即已超时。",
    ),
    {
        "{{site}} {{queue}}": 'max by (site, queue) (kefu_intake_queue_oldest_wait_seconds{$sel, site=~"$site"})'
        ' / max by (site, queue) (kefu_sla_threshold_seconds{$sel, site=~"$site"})'
    },
    red=1,
)
KEPT: Final = Panel(
    ("Promises kept", "按时率"),
    (
        "Share of first-response promises kept of those that fell due in 15 minutes, answered or not. One before any.",
        "15 分钟内到期的首次响应承诺中按时兑现的比例，未答复的也计入；尚无到期时为 1。",
    ),
    {
        "{{site}}": 'min by (site) (site:kefu_promises_kept:ratio15m{$ns, site=~"$site", clock="FIRST_RESPONSE"})'
        ' or sum by (site) (kefu_intake_surge_active{$sel, site=~"$site"}) * 0 + 1'
    },
    "percentunit",
)
TRANSACTIONS: Final = Panel(
    ("Transaction time", "事务耗时"),
    (
        "Mean time of a committed transaction, the wait for a connection included.",
        "已提交事务的平均耗时，含等待连接的时间。",
    ),
    {
        "{{job}}": f"sum by (job) (rate(kefu_db_transaction_seconds_sum{{$sel}}{RATE}))"
        f" / sum by (job) (rate(kefu_db_transaction_seconds_count{{$sel}}{RATE}))"
    },
    "s",
    red=0.25,
)
PENDING: Final = Panel(
    ("Events not handled", "未处理事件"),
    (
        "Events in the stream that a consumer has not acknowledged; growing while its place stands still means stuck.",
        "消费者尚未确认的事件数；持续增长且位置不动说明消费者卡住。",
    ),
    {"{{consumer}}": "max by (consumer) (kefu_consumer_pending_events{$sel})"},
    red=1_000,
)
OVERDUE: Final = Panel(
    ("Timers overdue", "定时器超期"),
    ("Age past its deadline of the oldest timer not fired.", "最早未触发定时器的超期时间。"),
    {"{{job}}": "max by (job) (kefu_timer_overdue_seconds{$sel})"},
    "s",
    red=5,
)
UNPUBLISHED: Final = Panel(
    ("Events not published", "未发布事件"),
    ("Age of the oldest event that the stream does not have.", "尚未发布到事件流的最早事件的等待时间。"),
    {"{{job}}": "max by (job) (kefu_outbox_unpublished_seconds{$sel})"},
    "s",
    red=30,
)
READY: Final = Panel(
    ("Ready", "就绪"),
    ("1 while the check passes.", "检查通过为 1。"),
    {"{{job}} {{check}}": "min by (job, check) (kefu_health_ready{$sel})"},
)
FAILED_CALLS: Final = Panel(
    ("Failed calls", "失败调用"),
    ("Share of calls that failed through no fault of the caller.", "非调用方原因导致失败的调用比例。"),
    {
        "": f'(sum(rate(kefu_rpc_server_duration_seconds_count{{$sel, code=~"UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED"}}{RATE})) or vector(0))'
        f" / sum(rate(kefu_rpc_server_duration_seconds_count{{$sel}}{RATE}))"
    },
    "percentunit",
    red=0.01,
)
