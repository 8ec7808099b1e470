"""The board of quality: what is recorded, how much of it is reviewed, what is contested or late."""

from __future__ import annotations

from grafana.shared import RATE, Board, Panel

_HERE = '$sel, site=~"$site"'
_REGISTERED = f"kefu_qa_recordings_registered_total{{{_HERE}}}"
_RECORDED = f"sum by (site) (increase({_REGISTERED}[7d]))"
_REVIEWED = f'sum by (site) (increase(kefu_qa_reviews_total{{{_HERE}, transition="submit"}}[7d]))'


def quality() -> Board:
    """Recordings, coverage and reviews by site, from qa."""
    recorded = Panel(
        ("Recordings", "录音录像"),
        ("Recordings of service registered an hour, by kind.", "每小时登记的服务录音录像与文字记录数，按类型。"),
        {"{{site}} {{kind}}": f"sum by (site, kind) (rate({_REGISTERED}{RATE})) * 3600"},
    )
    coverage = Panel(
        ("Reviewed", "质检覆盖率"),
        (
            "Reviews submitted in seven days for each recording registered in them; the profile says what must be.",
            "七天内提交的评审数与登记的录音录像数之比；应抽数量由站点规则规定。",
        ),
        {"{{site}}": f"({_REVIEWED} or {_RECORDED} * 0) / {_RECORDED}"},
        "percentunit",
    )
    missing = Panel(
        ("Content that did not come", "未到达的内容"),
        ("Recordings whose content was due and has not come.", "已逾期但内容仍未到达的录音录像数。"),
        {"{{site}} {{kind}}": f"max by (site, kind) (kefu_qa_recordings_missing{{{_HERE}}}) or vector(0)"},
        red=1,
    )
    reviews = Panel(
        ("Reviews", "评审"),
        (
            "Reviews an hour by what became of them; a rise of overdue means that reviewers do not keep up.",
            "每小时评审数，按状态变化；逾期增多说明评审跟不上。",
        ),
        {
            "{{transition}}": f"sum by (transition) (rate(kefu_qa_reviews_total{{{_HERE}}}{RATE})) * 3600 or vector(0)",
        },
    )
    return Board(
        "quality",
        ("Kefu / Quality", "客服系统 / 质检"),
        ("What is recorded, how much of it is reviewed.", "录制了什么，评审了多少。"),
        {("Coverage", "覆盖"): (recorded, coverage, missing), ("Reviews", "评审"): (reviews,)},
        sites=True,
    )
