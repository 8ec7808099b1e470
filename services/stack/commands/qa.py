"""`kefu qa draw`, `kefu qa verify-draw`: draw what is due and publish it; run a draw again."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.stack.commands.database import DATABASE, with_database
from services.stack.commands.table import columns, show
from services.stack.home import Home, StackError
from services.stack.processes import PROFILES as BUNDLED

if TYPE_CHECKING:
    from services.kit.db import Database
    from services.qa.commands.draws import Draws

SERVICE = "qa"


@click.group()
def qa() -> None:
    """Quality: draws of recordings that anyone can re-run."""


@qa.command(
    epilog="\b\nExamples:\n  kefu qa draw --site online-desk\n"
    "  kefu qa draw --site online-desk --draw week-2026-11-16 --out /tmp/draws --json"
)
@click.option("--site", required=True, help="Id of the site.")
@click.option("--draw", "wanted", default="", help="Publish this one, made before; by default the latest.")
@click.option("--out", type=click.Path(path_type=Path), default=Path(), help="Folder of DRAW-….json and the frame.")
@click.option(
    "--profiles", envvar="KEFU_PROFILES", type=click.Path(path_type=Path), default=BUNDLED, help="Folder of profiles."
)
@click.option(
    "--sealing-keys", envvar="KEFU_SEALING_KEYS", type=click.Path(path_type=Path), help="File that qa runs with."
)
@click.option("--objects", envvar="KEFU_QA_OBJECTS", help="Where qa keeps recordings and frames.")
@DATABASE
@click.option("--json", "machine", is_flag=True, help="For machines.")
def draw(
    *,
    site: str,
    wanted: str,
    out: Path,
    profiles: Path,
    sealing_keys: Path | None,
    objects: str | None,
    database: str | None,
    machine: bool,
) -> None:
    """Draw the weeks that are over and not drawn yet, and write record and frame of a draw for verify-draw.

    The worker of qa does the first half by itself every hour; to do it twice changes nothing.
    """
    home = Home.find()

    async def run(opened: Database) -> dict[str, Any]:
        draws, profile = _parts(opened, site, profiles, sealing_keys or home.sealing_keys, objects or home.objects)
        now = opened.clock.now()
        async with opened.transaction(sites=[site]) as tx:
            await draws.commit(tx, profile)
        made = []
        while (done := await draws.week(profile, now)) is not None:
            made.append(done)
        return {"site": site, "made": made} | await _published(opened, draws, site, wanted)

    done = with_database(SERVICE, database, run)
    if done["draw"]:
        _write(done, out)
    if machine:
        show(done)
        return
    click.echo(f"made now: {', '.join(done['made']) or 'none was due'}")
    if done["draw"]:
        units = [[one["unit"], one["size"], one["wanted"], one["drawn"], one["shortfall"]] for one in done["units"]]
        click.echo(
            columns([["unit", "recordings", "minimum", "drawn", "short"], *([str(c) for c in u] for u in units)])
        )
        click.echo(f"kefu qa verify-draw {done['record']} {done['frame']}")


@qa.command("verify-draw", epilog="\b\nExamples:\n  kefu qa verify-draw DRAW-online-desk-week-2026-11-16.json FRAME")
@click.argument("record", type=click.Path(path_type=Path))
@click.argument("frame", type=click.Path(path_type=Path))
def verify(record: Path, frame: Path) -> None:
    """Run a draw again from its published record and its frame alone.

    services/qa/verify_draw.py does it: one file, standard library only, no code of what drew. Exit code 0 when it
    agrees, 1 when something does not, 2 when a file cannot be read.
    """
    from services.qa import verify_draw

    raise SystemExit(verify_draw.main([str(record), str(frame)]))


async def _published(opened: Database, draws: Draws, site: str, wanted: str) -> dict[str, Any]:
    """A draw's record, and the file of its frame."""
    from services.qa.store import draws as store

    async with opened.transaction(sites=[site], read_only=True) as tx:
        latest = [row["draw_id"] for row in await store.page(tx, site, before=store.LAST, limit=1)]
        if not (wanted or latest):
            return {"draw": ""}
        draw = wanted or latest[0]
        record = await store.published(tx, site, draw)
    frame = await draws.frames.file(record["frame_sha256"])
    return {"draw": draw, "units": record["units"], "json": record, "file": frame}


def _write(done: dict[str, Any], out: Path) -> None:
    """Write a draw's record and frame; from then on `done` says where they are."""
    out.mkdir(parents=True, exist_ok=True)
    found, frame = done.pop("json"), done.pop("file")
    record = out / f"DRAW-{done['site']}-{done['draw']}.json"
    record.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    copy = out / f"FRAME-{found['frame_sha256'][:16]}"
    shutil.copyfile(frame, copy)
    done |= {"record": str(record), "frame": str(copy)}


def _parts(opened: Database, site: str, profiles: Path, keys: Path, objects: str | Path) -> tuple[Draws, Any]:
    from services.kit.crypto import CryptoError, Keys, Vault
    from services.policy.versions import Profiles
    from services.qa.commands.draws import Draws
    from services.qa.store.frames import Frames
    from services.qa.store.objects import Objects

    try:
        vault = Vault(Keys.read(keys))
    except CryptoError as error:
        raise StackError(f"{error}; give --sealing-keys, the file that qa runs with") from error
    url = objects.absolute().as_uri() if isinstance(objects, Path) else objects
    frames = Frames(Objects(url), Home.find().scratch)
    return Draws(opened, vault, frames, secrets.token_bytes), Profiles(profiles).current.at(site, opened.clock.now())
