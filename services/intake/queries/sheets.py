"""The service-level report as a file for spreadsheets: CSV, UTF-8 with a byte order mark so that they show Chinese."""

from __future__ import annotations

import csv
import io
from zoneinfo import ZoneInfo

from services.intake.queries.reports import Line, Report

MEDIA_TYPE = "text/csv"

_HEADERS = {
    "zh": [
        "范围", "名称", "进线量", "应答量", "放弃量", "首次响应均值（秒）", "首次响应中位数（秒）", "首次响应P90（秒）",
        "首次响应按时", "首次响应超时", "到期前离开", "服务水平（%）", "全部超时", "转接次数", "平均评分", "评分数",
    ],
    "en": [
        "Scope", "Name", "Offered", "Answered", "Abandoned", "First response mean (s)", "First response median (s)",
        "First response P90 (s)", "First response met", "First response breached", "Left before due",
        "Service level (%)", "Breaches of all clocks", "Transfers", "Mean rating", "Ratings",
    ],
}  # fmt: skip
_SCOPES = {
    "zh": {"total": "全部", "queue": "队列", "person": "人员"},
    "en": {"total": "Total", "queue": "Queue", "person": "Person"},
}


def service_level_csv(report: Report, locale: str) -> bytes:
    """Return the report as CSV: a header line in Chinese, or English for a locale that begins with "en", and one line
    each for the whole site, every queue and every person."""
    language = "en" if locale.startswith("en") else "zh"
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_HEADERS[language])
    scopes = _SCOPES[language]
    writer.writerow(_cells(scopes["total"], report.total))
    writer.writerows(_cells(scopes["queue"], line) for line in report.by_queue)
    writer.writerows(_cells(scopes["person"], line) for line in report.by_person)
    return text.getvalue().encode("utf-8-sig")


def file_name(site: str, report: Report, zone: ZoneInfo) -> str:
    """Return a file name with the site and the period's first and last day, site time."""
    first, last = report.begin.astimezone(zone), (report.end - report.end.resolution).astimezone(zone)
    return f"service-level_{site}_{first:%Y%m%d}-{last:%Y%m%d}.csv"


def _cells(scope: str, line: Line) -> list[str | int]:
    level = line.level
    due = level.met + level.breached
    return [
        scope,
        line.key,
        line.offered,
        line.answered,
        line.abandoned,
        f"{line.mean_s:.1f}",
        f"{line.median_s:.1f}",
        f"{line.p90_s:.1f}",
        level.met,
        level.breached,
        level.cancelled,
        f"{100 * level.ratio:.2f}" if due else "",
        line.breaches,
        line.transfers,
        f"{line.rating_mean:.2f}" if line.ratings else "",
        line.ratings,
    ]
