"""What each dashboard shows: declared once, in English and Chinese side by side; render.py makes Grafana's JSON of it."""

from __future__ import annotations

from collections.abc import Iterator

from grafana import rules
from grafana.loyalty import loyalty
from grafana.quality import quality
from grafana.shared import (
    FAILED_CALLS,
    KEPT,
    OLDEST,
    OVERDUE,
    PENDING,
    RATE,
    READY,
    TRANSACTIONS,
    UNPUBLISHED,
    WAITING,
    Board,
    Panel,
    Text,
    quantiles,
)


def boards() -> Iterator[Board]:
    """Every dashboard; those of services follow the list of services in slo.yaml."""
    yield _on_call()
    yield _service_level()
    yield _queues()
    yield quality()
    yield loyalty()
    yield _work()
    yield _slo()
    for service in rules.read()["services"]:
        yield _service(service)


def _on_call() -> Board:
    alerts = Panel(
        ("Alerts firing", "正在告警"),
        ("How many alerts fire, by name; Watchdog always does.", "正在触发的告警数；Watchdog 恒为触发。"),
        {"{{alertname}} {{severity}}": 'count by (alertname, severity) (ALERTS{alertstate="firing"})'},
        stat=True,
    )
    up = Panel(
        ("Processes up", "进程在线"),
        ("Processes that answer scrapes.", "可抓取指标的进程数。"),
        {"{{job}}": "sum by (job) (up{$sel})"},
        stat=True,
    )
    lag = Panel(
        ("Event loop lag", "事件循环延迟"),
        ("How late the event loop woke.", "事件循环唤醒延迟。"),
        {"{{job}}": "max by (job) (kefu_event_loop_lag_seconds{$sel})"},
        "s",
        red=0.1,
    )
    return Board(
        "on-call",
        ("Kefu / On call", "客服系统 / 值班首页"),
        ("Are we keeping our word, and if not, where to look.", "承诺是否兑现；若否，从哪里查起。"),
        {
            ("What is wrong", "哪里出了问题"): (alerts, up),
            ("Customers", "客户"): (KEPT, OLDEST, WAITING),
            ("Why", "原因"): (TRANSACTIONS, PENDING, OVERDUE, UNPUBLISHED, READY, FAILED_CALLS, lag),
        },
        sites=True,
    )


def _service_level() -> Board:
    # the bucket whose edge is the queue's own promise, found through the value of the threshold
    edge = 'label_replace(count_values by (site, queue) ("le", kefu_sla_threshold_seconds{$sel, site=~"$site"}), "le", "$1.0", "le", "([0-9]+)")'
    within = (
        f'sum by (site, queue) (sum by (site, queue, le) (increase(kefu_intake_first_response_seconds_bucket{{$sel, site=~"$site"}}[15m]))'
        f" * on (site, queue, le) group_left () ({edge} * 0 + 1))"
        ' / sum by (site, queue) (increase(kefu_intake_first_response_seconds_count{$sel, site=~"$site"}[15m]))'
    )
    answered = Panel(
        ("Answers within the queue's own promise", "在本队列时限内的应答"),
        (
            "Of the first answers given in 15 minutes, the share within the promise in force. Who was never answered is in the panel above.",
            "15 分钟内首次应答中符合当前时限的比例；从未应答者见上方面板。",
        ),
        {"{{site}} {{queue}}": within},
        "percentunit",
    )
    threshold = Panel(
        ("Promise in force", "当前时限"),
        ("First-response promise by queue, as the site's profile says now.", "站点规则当前规定的首次响应时限。"),
        {"{{site}} {{queue}}": 'max by (site, queue) (kefu_sla_threshold_seconds{$sel, site=~"$site"})'},
        "s",
        stat=True,
    )
    broken = Panel(
        ("Promises broken", "超时次数"),
        (
            "Promises broken in five minutes, at the deadline, by kind. Points lead to the trace of the very conversation.",
            "五分钟内到期未兑现的承诺，按类别；样本点可跳转到该会话的调用链。",
        ),
        {
            "{{site}} {{clock}}": 'sum by (site, clock) (increase(kefu_sla_total{$sel, site=~"$site", outcome="breached"}[5m]))'
        },
        exemplar=True,
    )
    times = Panel(
        ("Time to first answer", "首次应答用时"),
        ("Quantiles of the answers given.", "已给出应答的分位数。"),
        quantiles("kefu_intake_first_response_seconds", '$sel, site=~"$site"'),
        "s",
        exemplar=True,
    )
    return Board(
        "service-level",
        ("Kefu / Service level", "客服系统 / 服务水平"),
        ("Each site against its own promises.", "各站点对照自身承诺。"),
        {("Promises", "承诺"): (KEPT, threshold, broken), ("Answers", "应答"): (answered, times)},
        sites=True,
    )


def _queues() -> Board:
    def rate(title: Text, about: Text, metric: str, label: str) -> Panel:
        return Panel(
            title, about, {f"{{{{{label}}}}}": f'sum by ({label}) (rate({metric}{{$sel, site=~"$site"}}{RATE})) * 60'}
        )

    online = Panel(
        ("Customers online", "在线客户"),
        ("Customers waiting or being served.", "等待或接受服务的客户数。"),
        {"{{site}}": 'max by (site) (kefu_intake_customers_online{$sel, site=~"$site"})'},
    )
    surge = Panel(
        ("Surge mode", "高峰模式"),
        ("1 while a site is in surge mode.", "处于高峰模式为 1。"),
        {"{{site}}": 'max by (site) (kefu_intake_surge_active{$sel, site=~"$site"})'},
        red=1,
    )
    presence = Panel(
        ("Presence changes", "在岗状态变更"),
        ("Changes of presence a minute, by the new state.", "每分钟在岗状态变更，按新状态。"),
        {"{{state}}": f"sum by (state) (rate(kefu_staffing_presence_changes_total{{$sel}}{RATE})) * 60"},
    )
    return Board(
        "queues",
        ("Kefu / Queues and people", "客服系统 / 队列与人员"),
        ("Who waits, what comes, who takes it.", "谁在等待、来量多少、由谁接待。"),
        {
            ("Now", "当前"): (WAITING, OLDEST, online, surge),
            ("Flow, a minute", "流量（每分钟）"): (
                rate(
                    ("Opened", "新建"),
                    ("New conversations by channel.", "新会话，按渠道。"),
                    "kefu_intake_conversations_opened_total",
                    "channel",
                ),
                rate(
                    ("Ended", "结束"),
                    ("Ended conversations, by how.", "结束的会话，按方式。"),
                    "kefu_intake_conversations_ended_total",
                    "outcome",
                ),
                rate(
                    ("Messages", "消息"),
                    ("Messages stored, by author.", "已存消息，按作者。"),
                    "kefu_intake_messages_total",
                    "author",
                ),
                rate(
                    ("Assignments", "分配"),
                    ("Changes of who has it, by cause.", "归属变更，按原因。"),
                    "kefu_intake_assignments_total",
                    "cause",
                ),
                rate(
                    ("Transfers", "转接"),
                    ("Hand-overs asked for.", "发起的转接。"),
                    "kefu_intake_transfers_total",
                    "site",
                ),
            ),
            ("People", "人员"): (presence,),
        },
        sites=True,
    )


def _work() -> Board:
    def most(title: Text, about: Text, metric: str, by: str, unit: str = "short") -> Panel:
        return Panel(title, about, {f"{{{{{by}}}}}": f"max by ({by}) ({metric}{{$sel}})"}, unit)

    lateness = Panel(
        ("Timer lateness", "定时器延迟"),
        ("How long after their deadlines timers fired.", "定时器触发时超过到期时刻的时间。"),
        quantiles("kefu_timer_lateness_seconds"),
        "s",
    )
    moving = Panel(
        ("Events handled", "已处理事件"),
        (
            "Events a second that a consumer passed; 0 with events before it means stuck.",
            "消费者每秒处理的事件数；有积压却为 0 说明卡住。",
        ),
        {"{{consumer}}": "max by (consumer) (deriv(kefu_consumer_acknowledged_sequence{$sel}[1m]))"},
    )
    busy = Panel(
        ("Connections in use", "使用中的连接"),
        ("Share of the connections that the process may use.", "占进程可用连接上限的比例。"),
        {"{{job}}": "max by (job) (kefu_db_connections_busy{$sel}) / max by (job) (kefu_db_connections_max{$sel} > 0)"},
        "percentunit",
        red=0.9,
    )
    return Board(
        "work",
        ("Kefu / Timers, events, database", "客服系统 / 定时器、事件与数据库"),
        ("Whether what happens in the background keeps up.", "后台工作是否跟得上。"),
        {
            ("Timers", "定时器"): (OVERDUE, lateness),
            ("Events", "事件"): (
                PENDING,
                moving,
                UNPUBLISHED,
                most(
                    ("Outbox rows kept", "保留的发件行"),
                    ("Published, not passed by all.", "已发布但未被全部处理。"),
                    "kefu_outbox_unconsumed_events",
                    "job",
                ),
                most(
                    ("Parked", "搁置"),
                    ("Failed five times, waits for a person.", "失败五次，等待人工。"),
                    "kefu_parked_items",
                    "job",
                ),
            ),
            ("Database", "数据库"): (
                TRANSACTIONS,
                busy,
                most(
                    ("Audit rows unsealed", "未封存审计行"),
                    ("Not yet covered by the chain.", "尚未纳入哈希链。"),
                    "kefu_audit_unsealed_rows",
                    "job",
                ),
            ),
        },
    )


def _slo() -> Board:
    spent = Panel(
        ("Budget spent", "已用错误预算"),
        (
            "Share of the error budget of 30 days that is spent; from 1 on the objective is missed.",
            "30 天错误预算的已用比例；达到 1 即未达标。",
        ),
        {"{{slo}} {{site}} {{clock}} {{job}}": "slo:error_budget_spent:ratio{$ns}"},
        "percentunit",
        red=1,
    )
    burning = Panel(
        ("Error ratio, 1 h", "一小时错误率"),
        ("Share of what was bad in the last hour, by objective.", "最近一小时的不良比例，按目标。"),
        {"{{slo}} {{site}} {{clock}} {{job}}": "slo:sli_error:ratio_rate1h{$ns}"},
        "percentunit",
    )
    objective = Panel(
        ("Objectives", "目标"),
        ("What slo.yaml promises.", "slo.yaml 中的目标。"),
        {"{{slo}}": "slo:objective:ratio{$ns}"},
        "percentunit",
        stat=True,
    )
    return Board(
        "slo",
        ("Kefu / Objectives", "客服系统 / 服务目标"),
        ("Error budgets of 30 days.", "30 天错误预算。"),
        {("Budgets", "预算"): (spent, burning, objective)},
    )


def _service(service: str) -> Board:
    mine = f'$sel, job=~"{service}(-.+)?"'
    metric, by, failed = ("kefu_rpc_server_duration_seconds", "method", 'code!~"OK|CANCELLED"')
    if service == "gateway":
        metric, by, failed = ("kefu_gateway_request_duration_seconds", "kind", 'status=~"4xx|5xx"')
    rate = Panel(
        ("Rate", "请求量"), ("Requests a second.", "每秒请求数。"),
        {f"{{{{{by}}}}}": f"sum by ({by}) (rate({metric}_count{{{mine}}}{RATE}))"}, "reqps",
    )  # fmt: skip
    errors = Panel(
        ("Errors", "错误"), ("Requests a second that failed, callers' mistakes included.", "每秒失败请求数，含调用方错误。"),
        {f"{{{{{by}}}}}": f"sum by ({by}) (rate({metric}_count{{{mine}, {failed}}}{RATE})) or vector(0)"}, "reqps",
    )  # fmt: skip
    duration = Panel(
        ("Duration", "耗时"), ("Quantiles of the time to answer.", "应答耗时分位数。"), quantiles(metric, mine), "s"
    )
    cpu = Panel(
        ("CPU", "CPU"), ("Cores used.", "使用的核数。"),
        {"{{job}}": f"sum by (job) (rate(process_cpu_seconds_total{{{mine}}}{RATE}))"},
    )  # fmt: skip
    memory = Panel(
        ("Memory", "内存"), ("Resident memory by process.", "进程常驻内存。"),
        {"{{job}} {{instance}}": f"process_resident_memory_bytes{{{mine}}}"}, "bytes",
    )  # fmt: skip
    files = Panel(
        ("Open files", "打开的文件"), ("Share of the descriptors allowed.", "占文件描述符上限的比例。"),
        {"{{job}}": f"max by (job) (process_open_fds{{{mine}}} / process_max_fds{{{mine}}})"}, "percentunit", red=0.8,
    )  # fmt: skip
    return Board(
        f"service-{service}",
        (f"Kefu / Service {service}", f"客服系统 / 服务 {service}"),
        (f"Rate, errors and duration of {service}, and what it uses.", f"{service} 的请求量、错误、耗时与资源。"),
        {("Requests", "请求"): (rate, errors, duration), ("Resources", "资源"): (cpu, memory, files)},
    )
