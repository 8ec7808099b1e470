"""Boards → Grafana's JSON, one file per dashboard and language (Grafana 11.6, classic model)."""

from __future__ import annotations

import json
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from grafana.boards import boards
from grafana.shared import Board, Panel, Text

LANGUAGES: Final = {"en": 0, "zh-CN": 1}
SUFFIX: Final = {"en": "en", "zh-CN": "zh"}
SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
MATCHERS: Final = {"$sel": 'job=~"$job", namespace=~"$namespace"', "$ns": 'namespace=~"$namespace"'}
# A version that was not there two minutes ago: somebody deployed.
DEPLOYED: Final = (
    "count by (service, version) (kefu_build_info) unless count by (service, version) (kefu_build_info offset 2m)"
)


def uid(board: Board, language: str) -> str:
    """The dashboard's stable id."""
    return f"kefu-{board.slug}-{SUFFIX[language]}"


def files() -> dict[str, str]:
    """Path below grafana/dashboards → JSON."""
    return {
        f"{language}/{board.slug}.json": _text(board, language, every)
        for every in [list(boards())]
        for language in LANGUAGES
        for board in every
    }


def _text(board: Board, language: str, every: list[Board]) -> str:
    at = LANGUAGES[language]
    made = (
        build.Dashboard(board.title[at])
        .uid(uid(board, language))
        .description(board.about[at])
        .tags(["kefu", language])
        .readonly()
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .annotation(
            build.AnnotationQuery()
            .name(("Deploys", "发布")[at])
            .enable(True)
            .datasource(SOURCE)
            .icon_color("blue")
            .expr(DEPLOYED)
        )
    )
    made.with_variable(build.DatasourceVariable("datasource").label(("Data source", "数据源")[at]).type("prometheus"))
    made.with_variable(_variable("job", ("Process", "进程"), "label_values(kefu_build_info, job)", at))
    made.with_variable(
        _variable("namespace", ("Namespace", "命名空间"), "label_values(kefu_build_info, namespace)", at, ".*")
    )
    if board.sites:
        query = "label_values(kefu_sla_threshold_seconds, site)"
        made.with_variable(_variable("site", ("Site", "站点"), query, at))
    for other in every:
        if other.slug != board.slug:
            made.link(_link(other.title[at], uid(other, language)))
    turned = next(one for one in LANGUAGES if one != language)
    made.link(_link(("中文", "English")[at], uid(board, turned)))
    for heading, panels in board.rows.items():
        made.with_row(build.Row(heading[at]))
        for panel in panels:
            made.with_panel(_panel(panel, at))
    document = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _link(title: str, target: str) -> build.DashboardLink:
    link = build.DashboardLink(title).type(model.DashboardLinkType.LINK).url(f"/d/{target}")
    return link.keep_time(True).include_vars(True)


def _variable(name: str, label: Text, query: str, at: int, every: str = ".+") -> build.QueryVariable:
    made = build.QueryVariable(name).label(label[at]).datasource(SOURCE).query(query).multi(True).include_all(True)
    chosen = model.VariableOption(selected=True, text="All", value="$__all")
    return made.all_value(every).current(chosen).refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)


def _panel(panel: Panel, at: int) -> stat.Panel | timeseries.Panel:
    made = stat.Panel() if panel.stat else timeseries.Panel()
    made.title(panel.title[at]).description(panel.about[at]).unit(panel.unit).datasource(SOURCE).span(8).height(8)
    for letter, (legend, expr) in zip("ABCDEF", panel.queries.items(), strict=False):
        for short, matchers in MATCHERS.items():
            expr = expr.replace(short, matchers)  # noqa: PLW2901
        target = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(expr).exemplar(panel.exemplar)
        made.with_target((target.instant() if panel.stat else target.range()).legend_format(legend or "__auto"))
    if panel.red is not None:
        steps = [model.Threshold(value=None, color="green"), model.Threshold(value=panel.red, color="red")]
        made.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    return made
