"""What simulated customers and people say. Invented; nobody's words."""

from __future__ import annotations

from typing import Final

GREETING: Final = "您好，很高兴为您服务，请问有什么可以帮您？"
THANKS: Final = "感谢您的咨询，祝您生活愉快，再见。"
QUESTIONS: Final = (
    "请问我的订单什么时候发货？",
    "这款有现货吗？尺码怎么选？",
    "优惠券为什么用不了？",
    "我想换一个颜色，可以吗？",
    "退款多久能到账？",
    "发票怎么开？",
    "今天能送到吗？",
    "会员积分怎么兑换？",
)
ANSWERS: Final = (
    "我帮您查一下，请稍等。",
    "已经为您核实，预计明天送达。",
    "可以的，我这就为您登记。",
    "款项会在三个工作日内原路退回。",
    "您可以在订单详情里申请，我把链接发给您。",
)
