"""The RPC edge of draws."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from kefu.qa.v1 import draw_service_pb2 as api
from kefu.qa.v1 import draw_service_pb2_grpc as api_grpc

from services.kit import pages
from services.kit.db import Transaction
from services.policy.desk import Desk
from services.qa import convert_draws as convert
from services.qa.commands.draws import Draws
from services.qa.commands.replacements import Replacements
from services.qa.domain import weeks
from services.qa.servicer.names import DRAW, SITE, Context, sample_ids, size_of
from services.qa.store import draws as store

_LAST: Final = ["9999-12-31T00:00:00+00:00", ""]
_FIRST: Final = "00000000-0000-0000-0000-000000000000"
VERIFIER: Final = Path(__file__).parents[1] / "verify_draw.py"
PIECE_BYTES: Final = 4 << 20


class DrawServicer(api_grpc.DrawServiceServicer):
    """kefu.qa.v1.DrawService."""

    def __init__(self, desk: Desk, draws: Draws, replacements: Replacements) -> None:
        self._desk = desk
        self._draws = draws
        self._replacements = replacements
        self._verifier = VERIFIER.read_bytes()

    async def ListCommitments(
        self, request: api.ListCommitmentsRequest, context: Context
    ) -> api.ListCommitmentsResponse:
        """Hashes of seeds, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        at, key = pages.decode(request) or _LAST
        async with self._desk.read(site) as tx:
            found = await store.commitments(tx, site, before=(datetime.fromisoformat(at), key), limit=size + 1)
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last.committed_at, last.key]) if last else ""
        return api.ListCommitmentsResponse(
            commitments=[convert.commitment_to(one) for one in found[:size]], next_page_token=token
        )

    async def ListDraws(self, request: api.ListDrawsRequest, context: Context) -> api.ListDrawsResponse:
        """The site's draws, latest first."""
        (site,) = SITE.parse(request.parent, "parent")
        size = size_of(request)
        at, id_ = pages.decode(request) or _LAST
        profile = self._desk.profile(site)
        async with self._desk.read(site) as tx:
            found = await store.page(tx, site, before=(datetime.fromisoformat(at), id_), limit=size + 1)
            made = await store.spot_checks(tx, site, weeks.month_of(tx.now, profile.timezone))
        last = found[size - 1] if len(found) > size else None
        token = pages.encode(request, [last["made_at"], last["draw_id"]]) if last else ""
        return api.ListDrawsResponse(
            draws=[convert.draw_to(site, one) for one in found[:size]],
            next_page_token=token,
            spot_checks=convert.duty_to(profile.setting("sampling.ad_hoc"), made),
        )

    async def GetDraw(self, request: api.GetDrawRequest, context: Context) -> api.Draw:
        """One draw."""
        site, id_ = DRAW.parse(request.name)
        async with self._desk.read(site) as tx:
            return convert.draw_to(site, await store.get(tx, site, id_))

    async def ListSamples(self, request: api.ListSamplesRequest, context: Context) -> api.ListSamplesResponse:
        """The recordings drawn."""
        site, id_ = DRAW.parse(request.parent, "parent")
        size = size_of(request)
        (after,) = pages.decode(request) or [_FIRST]
        async with self._desk.read(site) as tx:
            await store.frame_of(tx, site, id_)
            found = await store.samples(tx, site, id_, after=after, limit=size + 1)
        token = pages.encode(request, [found[size - 1]["recording_id"]]) if len(found) > size else ""
        return api.ListSamplesResponse(
            samples=[convert.sample_to(site, id_, one) for one in found[:size]], next_page_token=token
        )

    async def GetDrawRecord(self, request: api.GetDrawRecordRequest, context: Context) -> api.DrawRecord:
        """The published record."""
        site, id_ = DRAW.parse(request.name)
        async with self._desk.read(site) as tx:
            content = json.dumps(await store.published(tx, site, id_), ensure_ascii=False, indent=1)
        return api.DrawRecord(
            file_name=f"DRAW-{site}-{id_}.json", media_type="application/json", content=content.encode()
        )

    async def ReadFrame(self, request: api.ReadFrameRequest, context: Context) -> api.ReadFrameResponse:
        """A piece of a draw's frame."""
        site, id_ = DRAW.parse(request.name)
        async with self._desk.read(site) as tx:
            sha256 = await store.frame_of(tx, site, id_)
        piece, size = await self._draws.frames.piece(sha256, request.offset, PIECE_BYTES)
        return api.ReadFrameResponse(piece=piece, size_bytes=size, sha256=sha256)

    async def GetVerifier(self, request: api.GetVerifierRequest, context: Context) -> api.Verifier:
        """The program that runs a draw again."""
        SITE.parse(request.parent, "parent")
        return api.Verifier(file_name=VERIFIER.name, media_type="text/x-python", content=self._verifier)

    async def CreateSpotCheck(self, request: api.CreateSpotCheckRequest, context: Context) -> api.Draw:
        """Draw at once from the last days."""
        (site,) = SITE.parse(request.parent, "parent")
        prepared = await self._draws.prepare_spot_check(
            self._desk.profile(site), number=request.number, days=request.days, person=request.person
        )

        async def run(tx: Transaction, actor: str) -> api.Draw:
            id_ = await self._draws.spot_check(tx, prepared, reason=request.reason, actor=actor)
            return convert.draw_to(site, await store.get(tx, site, id_))

        return await self._desk.write(site, run, api.Draw)

    async def ReplaceSample(self, request: api.ReplaceSampleRequest, context: Context) -> api.Sample:
        """Put another recording in the place of one that cannot be reviewed."""
        site, draw, recording = sample_ids(request.name)

        async def run(tx: Transaction, actor: str) -> api.Sample:
            gone = await self._replacements.replace(tx, site, draw, recording, request.reason, actor=actor)
            return convert.sample_to(site, draw, gone)

        return await self._desk.write(site, run, api.Sample)
