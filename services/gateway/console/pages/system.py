"""The page for engineers: what runs here, which rules are in force, where the interfaces are."""

from __future__ import annotations

from importlib.metadata import version

from flask import Blueprint, url_for

from services.gateway.console.shell import Shell


def install(blueprint: Blueprint, shell: Shell) -> None:
    """Register the route."""

    @blueprint.get("/s/<site>/system")
    def system(site: str) -> str:
        links = [
            ("/openapi.json", "openapi"),
            ("/docs", "openapi_page"),
            ("/readyz", "health"),
            (url_for("console.chat", site=site), "chat"),
        ]
        return shell.render(
            "pages/system.html", frame=shell.frame(site, "system"), version=version("kefu"), links=links
        )
