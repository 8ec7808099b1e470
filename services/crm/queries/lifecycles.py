"""Where every buyer of a site stands, from new to lost, worked out from the days on which they bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np

from services.crm.domain.churn import Bars, Standing, standing
from services.crm.domain.rhythm import Histories, Model, fit
from services.kit.db import Transaction

_SECONDS: Final = 60.0
# Days with an order, by who counts for them, with when the file began; a customer buys at most once a day here.
_DAYS: Final = """
SELECT c.root, array_agg(DISTINCT d.day ORDER BY d.day) AS days, min(c.created_at) AS known_since
FROM customer_days d JOIN customers c USING (site, customer_id)
WHERE d.site = $1 AND d.orders > 0 AND d.day <= $2 GROUP BY c.root
"""


async def buying_days(tx: Transaction, site: str, upto: date) -> list[Any]:
    """Rows of root, days in order, and known_since, of everybody who bought up to a day."""
    return await tx.connection.fetch(_DAYS, site, upto, timeout=_SECONDS)


def judge(rows: Sequence[Any], today: date, lost_after_d: int) -> tuple[dict[str, Standing], Model | None]:
    """The standing of each buyer by id, and the rhythm that was fitted to all of them."""
    if not rows:
        return {}, None
    histories = Histories(
        np.array([len(row["days"]) - 1 for row in rows], dtype=np.float64),
        np.array([(row["days"][-1] - row["days"][0]).days for row in rows], dtype=np.float64),
        np.array([(today - row["days"][0]).days for row in rows], dtype=np.float64),
    )
    model = fit(histories)
    alive: Mapping[int, float] = {} if model is None else dict(enumerate(model.alive(histories).tolist()))
    bars = Bars(lost_after_d)
    return {
        row["root"]: standing(
            orders=len(row["days"]),
            silent_d=(today - row["days"][-1]).days,
            p_alive=alive.get(at),
            bars=bars,
        )
        for at, row in enumerate(rows)
    }, model
