"""`make dashboards`: write grafana/dashboards and grafana/rules anew from their sources."""

from __future__ import annotations

import shutil

from grafana import render, rules

DASHBOARDS = rules.HERE / "dashboards"


def main() -> None:
    """Write every file; what is not made any more goes."""
    for folder, files in ((DASHBOARDS, render.files()), (rules.RULES, rules.files(rules.read()))):
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
