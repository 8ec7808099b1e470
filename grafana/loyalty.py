"""The board of loyalty: what customers buy, how they move between tiers, what the company owes them in points."""

from __future__ import annotations

from grafana.shared import RATE, Board, Panel

_HERE = '$sel, site=~"$site"'


def loyalty() -> Board:
    """Orders, tiers and points by site, from crm."""
    orders = Panel(
        ("Order lines", "订单行"),
        (
            "Order lines received a minute, by what became of them; repeated ones change nothing.",
            "每分钟收到的订单行，按处理结果；重复的不产生影响。",
        ),
        {
            "{{site}} {{outcome}}": f"sum by (site, outcome) (rate(kefu_crm_order_lines_total{{{_HERE}}}{RATE})) * 60",
        },
    )
    moves = Panel(
        ("Tier moves", "等级变动"),
        (
            "Customers a minute that rose, fell, were warned before a loss or recovered; many at once at night.",
            "每分钟升级、降级、收到降级预警或恢复的客户数；夜间会集中出现。",
        ),
        {"{{site}} {{cause}}": f"sum by (site, cause) (rate(kefu_crm_tier_moves_total{{{_HERE}}}{RATE})) * 60"},
    )
    owed = Panel(
        ("Points owed", "积分负债"),
        (
            "Points that customers may spend now (ACTIVE) or later (PENDING), by site.",
            "客户当前可用（ACTIVE）或日后可用（PENDING）的积分，按站点。",
        ),
        {"{{site}} {{account}}": f"max by (site, account) (kefu_crm_points_liability{{{_HERE}}})"},
    )
    return Board(
        "loyalty",
        ("Kefu / Loyalty", "客服系统 / 会员"),
        ("What customers buy, how they move between tiers, what is owed in points.", "购买、等级变动与积分负债。"),
        {("Customers", "客户"): (orders, moves, owed)},
        sites=True,
    )
