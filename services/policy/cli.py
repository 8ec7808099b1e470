"""`kefu profile`: check, show, compare and try out site profiles."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import click

from services.policy import describe, loader
from services.policy.dryrun import Source, dry_run
from services.policy.faults import ProfileRefusedError
from services.policy.loader import Version
from services.policy.versions import ProfileSet, SiteUnknownError

PATH = click.Path(path_type=Path, exists=True)
FOLDER = click.option(
    "--profiles",
    "folder",
    type=PATH,
    envvar="KEFU_PROFILES",
    default=Path("charts/kefu/profiles"),
    show_default=True,
    help="Folder of the site profiles.",
)


@click.group()
def profile() -> None:
    """The sites' rules: check, show, compare, try out."""


@profile.command()
@click.argument("paths", nargs=-1, required=True, type=PATH)
def check(paths: tuple[Path, ...]) -> None:
    """Check profile files, or every *.yaml of folders. Prints every fault; exit code 1 when there is one."""
    good, faults = [], 0
    for file in _files(paths):
        try:
            version = loader.load(file)
        except ProfileRefusedError as error:
            faults += len(error.faults)
            click.echo("\n".join(str(fault) for fault in error.faults))
            continue
        good.append(version)
        click.echo(f"{file}: valid, {version.profile.site} from {version.values['effective_from']} on")
        for note in version.notes:
            click.echo(f"  note: {note}")
    try:
        ProfileSet(good)
    except ProfileRefusedError as error:
        faults += len(error.faults)
        click.echo("\n".join(str(fault) for fault in error.faults))
    if faults:
        click.echo(f"{faults} fault{'s' if faults > 1 else ''}.", err=True)
        raise SystemExit(1)


@profile.command()
@click.argument("site")
@click.option(
    "--at", "day", type=click.DateTime(["%Y-%m-%d"]), help="A day of the site; the latest version without it."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@FOLDER
def show(site: str, day: datetime | None, as_json: bool, folder: Path) -> None:
    """Show a site's rules: each value with unit, origin and clauses."""
    version = _version(_load(folder), site, day.date() if day else None)
    if as_json:
        click.echo(json.dumps(_document(version), ensure_ascii=False, indent=2))
        return
    name = version.profile.display_name
    click.echo(f"{site} · {name.zh} · {name.en}")
    click.echo(f"regimes {', '.join(version.profile.regimes)} · in force from {version.values['effective_from']}")
    click.echo(f"answered for by {version.values['owner']}")
    click.echo(f"version {version.profile.version}\n")
    for line in describe.lines(version):
        shown = describe.value_text(line.value, line.unit)
        about = " · ".join(part for part in (", ".join(line.clauses), line.reason) if part)
        click.echo(f"{line.path:<46} {shown:<28} {line.origin:<6} {about}".rstrip())


@profile.command()
@click.argument("old")
@click.argument("new")
@FOLDER
def diff(old: str, new: str, folder: Path) -> None:
    """Say in words what NEW changes against OLD: files, or sites of the folder."""
    sentences = list(describe.differences(_named(old, folder), _named(new, folder)))
    click.echo("\n".join(sentences) if sentences else "Nothing differs.")


def dry_run_command(source: Source) -> click.Command:
    """`kefu profile dry-run` around a source of recorded conversations (intake's, added to `profile` by its caller)."""

    @click.command("dry-run")
    @click.argument("site")
    @click.argument("new", type=PATH)
    @click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day, site time.")
    @click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day, site time.")
    @FOLDER
    def command(site: str, new: Path, since: datetime, until: datetime, folder: Path) -> None:
        """Judge recorded conversations of SITE by the profile NEW and say what would have changed."""
        candidate = _checked(new)
        if candidate.profile.site != site:
            raise click.ClickException(f"{new} is the profile of {candidate.profile.site}, not of {site}.")
        running = _version(_load(folder), site, until.date())
        zone = candidate.profile.timezone
        begin = datetime.combine(since.date(), time(), zone)
        end = datetime.combine(until.date() + timedelta(days=1), time(), zone)
        histories = source.histories(site, begin.astimezone(UTC), end.astimezone(UTC))
        found = dry_run(histories, running.profile, candidate.profile, source.judge)
        for change in found.changes:
            click.echo(str(change))
        click.echo(f"{found.conversations} conversations, {len(found.changes)} promises would have ended differently.")
        for (clock, outcome), (before, after) in found.totals.items():
            click.echo(f"  {clock:<24} {outcome:<10} {before:>8} → {after}")

    return command


def _files(paths: tuple[Path, ...]) -> list[Path]:
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not files:
        raise click.ClickException(f"No *.yaml in {', '.join(map(str, paths))}.")
    return files


def _checked(path: Path) -> Version:
    try:
        return loader.load(path)
    except ProfileRefusedError as error:
        raise click.ClickException(str(error)) from error


def _load(folder: Path) -> ProfileSet:
    try:
        return ProfileSet(loader.load(file) for file in _files((folder,)))
    except ProfileRefusedError as error:
        raise click.ClickException(str(error)) from error


def _version(profiles: ProfileSet, site: str, day: date | None) -> Version:
    versions = profiles.versions(site)
    if not versions:
        raise click.ClickException(f"No profile of site {site!r}. Known: {', '.join(profiles.sites)}.")
    if day is None:
        return versions[-1]
    try:
        return profiles.version_at(site, datetime.combine(day, time(12), versions[-1].profile.timezone))
    except SiteUnknownError as error:
        raise click.ClickException(str(error)) from error


def _named(name: str, folder: Path) -> Version:
    path = Path(name)
    return _checked(path) if path.exists() else _version(_load(folder), name, None)


def _document(version: Version) -> dict[str, object]:
    preamble = {key: version.values[key] for key in describe.PREAMBLE if key in version.values}
    values = [line.as_dict() for line in describe.lines(version)]
    return {**preamble, "version": version.profile.version, "values": values, "notes": list(version.notes)}
