"""grafana/slo.yaml → recording and alert rules for Prometheus, grafana/rules/*.yaml.

An objective counts bad against all: events, requests within a bucket, or slices of time. Its error ratio is recorded
over each window (`slo:sli_error:ratio_rate5m` …, names as Sloth's), and alerts compare the long and the short window
with factor x (1 - objective).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
SOURCE: Final = HERE / "slo.yaml"
RULES: Final = HERE / "rules"
RUNBOOKS: Final = "docs/operations/runbooks"
# An error ratio cannot exceed 1: a threshold near it would never be reached.
HIGHEST_THRESHOLD: Final = 0.95

Rule = dict[str, Any]


class SloError(ValueError):
    """An objective that could never alert, or that is written wrong."""


def read() -> dict[str, Any]:
    """The source as it is written."""
    document: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return document


def jobs(document: Mapping[str, Any]) -> str:
    """The matcher of every process of ours, as a label selector."""
    names = "|".join([*document["services"], *document["other_processes"]])
    return f'{{job=~"({names})(-.+)?"}}'


def files(document: Mapping[str, Any]) -> dict[str, str]:
    """File name → text of each file of rules. Raises SloError."""
    return {
        "slo.yaml": _text(
            "kefu-slo", [rule for name, slo in document["slos"].items() for rule in _slo(name, slo, document)]
        ),
        "alerts.yaml": _text("kefu-alerts", [*_levels(), *_alerts(document)]),
    }


def _text(group: str, rules: Sequence[Rule]) -> str:
    body = yaml.safe_dump(
        {"groups": [{"name": group, "interval": "15s", "rules": list(rules)}]},
        allow_unicode=True,
        sort_keys=False,
        width=1_000,
    )
    return f"# Made from grafana/slo.yaml by `make dashboards`; edit there.\n{body}"


def _levels() -> Iterator[Rule]:
    """Promises due and kept by site and kind, numerator and denominator apart, divided last."""
    by = "namespace, site, clock"
    for window in ("5m", "15m"):
        for what, outcomes in (("due", "met|breached"), ("kept", "met")):
            counted = f'sum by ({by}) (increase(kefu_sla_total{{outcome=~"{outcomes}"}}[{window}]))'
            yield {"record": f"site:kefu_promises_{what}:increase{window}", "expr": counted}
        yield {
            "record": f"site:kefu_promises_kept:ratio{window}",
            "expr": f"site:kefu_promises_kept:increase{window} / (site:kefu_promises_due:increase{window} > 0)",
        }


def _slo(name: str, slo: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Rule]:
    budget = 1 - slo["objective"]
    labels = {"slo": name}
    if "slice" in slo:
        yield {"record": "slo:slice_bad:bool5m", "expr": slo["slice"]["bad"], "labels": labels}
    windows = dict.fromkeys([one[end] for one in document["windows"] for end in ("long", "short")])
    for window in windows:
        yield {"record": f"slo:sli_error:ratio_rate{window}", "expr": error_ratio(name, slo, window), "labels": labels}
    yield {"record": "slo:objective:ratio", "expr": f"vector({slo['objective']})", "labels": labels}
    spent = f'avg_over_time(slo:sli_error:ratio_rate5m{{slo="{name}"}}[{document["period"]}]) / {budget:.6g}'
    yield {"record": "slo:error_budget_spent:ratio", "expr": spent, "labels": labels}
    for severity in dict.fromkeys(one["severity"] for one in document["windows"]):
        yield _burn(name, slo, severity, [one for one in document["windows"] if one["severity"] == severity])


def error_ratio(name: str, slo: Mapping[str, Any], window: str) -> str:
    """The share of what was bad over a window, by the objective's labels."""
    by = ", ".join(slo["by"])
    if "slice" in slo:
        return f'avg_over_time(slo:slice_bad:bool5m{{slo="{name}"}}[{window}])'
    if "events" in slo:
        bad, total = slo["events"]["bad"], slo["events"]["all"]
        failed = f"sum by ({by}) (rate({bad}[{window}]))"
        every = f"sum by ({by}) (rate({total}[{window}]))"
        # a failure that never happened has no series and is no failure
        return f"({failed} or {every} * 0) / ({every} > 0)"
    histogram, edge = slo["latency"]["histogram"], float(slo["latency"]["within"])
    within = f'sum by ({by}) (rate({histogram}_bucket{{le="{edge}"}}[{window}]))'
    return f"1 - {within} / (sum by ({by}) (rate({histogram}_count[{window}])) > 0)"


def _burn(name: str, slo: Mapping[str, Any], severity: str, windows: Sequence[Mapping[str, Any]]) -> Rule:
    pairs = []
    for window in windows:
        threshold = window["factor"] * (1 - slo["objective"])
        if threshold >= HIGHEST_THRESHOLD:
            raise SloError(
                f"{name}: {slo['objective']:.2%} can never burn at {window['factor']}x; judge slices of time instead"
            )
        both = [f'slo:sli_error:ratio_rate{window[end]}{{slo="{name}"}} > {threshold:.6g}' for end in ("long", "short")]
        pairs.append(f"({both[0]} and {both[1]})")
    return _alert(slo["alert"], " or ".join(pairs), severity, slo["summary"], board="slo", labels={"slo": name})


def _alerts(document: Mapping[str, Any]) -> Iterator[Rule]:
    for name, one in document["alerts"].items():
        known = {"severity": one["severity"], "summary": one["summary"], "board": one["board"], "wait": one.get("for")}
        if "each_service" in one:
            for service in document["services"]:
                expr = one["each_service"].replace("{service}", service)
                yield _alert(name, expr, labels={"service": service}, **known)
        else:
            yield _alert(name, one["expr"].replace("{jobs}", jobs(document)), **known)


def _alert(
    name: str,
    expr: str,
    severity: str,
    summary: Mapping[str, str],
    *,
    board: str,
    wait: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Rule:
    rule: Rule = {"alert": name, "expr": expr}
    if wait:
        rule["for"] = wait
    return rule | {
        "labels": {"severity": severity, "team": "kefu", **(labels or {})},
        "annotations": {
            "summary": summary["en"],
            "summary_zh": summary["zh"],
            "runbook_url": f"{RUNBOOKS}/en/{name}.md",
            "runbook_url_zh": f"{RUNBOOKS}/zh-CN/{name}.md",
            "dashboard": f"kefu-{board}-en",
            "dashboard_zh": f"kefu-{board}-zh",
        },
    }
