"""Each customer's own rhythm of buying, and how likely they are still a customer: the BG/NBD model.

Fader, Hardie and Lee, "Counting Your Customers the Easy Way", Marketing Science 24 (2005), 275-284. While they are
customers people buy at random at a rate of their own; after each purchase they leave with a chance of their own; rates
are gamma (r, alpha), chances beta (a, b) distributed. Equations are numbered as in that paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, gammaln, hyp2f1

Array = NDArray[np.float64]
MIN_CUSTOMERS = 50
# Keeps a likelihood without a maximum (everybody alike) from running off: a penalty of a millionth on each logarithm.
_RIDGE = 1e-6
_BOUND = 12.0


@dataclass(frozen=True, slots=True)
class Histories:
    """Customers as three columns of one length, in days: repeat purchases, age at the last one, age now.

    A repeat purchase is any after the first; several on one day are one. `age_at_last` is 0 where there was none.
    """

    repeats: Array
    age_at_last: Array
    age: Array

    def __post_init__(self) -> None:
        """Check; raises ValueError."""
        if not len(self.repeats) == len(self.age_at_last) == len(self.age):
            raise ValueError("the columns differ in length")
        if np.any(self.repeats < 0) or np.any(self.age_at_last < 0) or np.any(self.age_at_last > self.age):
            raise ValueError("a last purchase lies between the first one and now")
        if np.any((self.repeats == 0) != (self.age_at_last == 0)):
            raise ValueError("whoever bought once has no later purchase")


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted population. Scale `alpha` is in days."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, customers: Histories) -> Array:
        """Chance that each is still a customer (eq. 11 of the authors' note of 2008); 1 for who bought once."""
        x, t_x, t = customers.repeats, customers.age_at_last, customers.age
        odds_gone = (
            np.log(self.a)
            - np.log(self.b + np.maximum(x, 1) - 1)
            + (self.r + x) * (np.log(self.alpha + t) - np.log(self.alpha + t_x))
        )
        return np.where(x > 0, expit(-odds_gone), 1.0)

    def expected(self, customers: Histories, days: float) -> Array:
        """Purchases to be expected of each in the next `days` (eq. 10)."""
        x, t_x, t = customers.repeats, customers.age_at_last, customers.age
        a, b, r, alpha = self.a, self.b, self.r, self.alpha
        ratio = hyp2f1(r + x, b + x, a + b + x - 1, days / (alpha + t + days))
        growth = 1 - ((alpha + t) / (alpha + t + days)) ** (r + x) * ratio
        first = (a + b + x - 1) / (a - 1) * growth
        gone = a / (b + np.maximum(x, 1) - 1) * ((alpha + t) / (alpha + t_x)) ** (r + x)
        return np.asarray(first / (1 + np.where(x > 0, gone, 0.0)), dtype=np.float64)

    def expected_of_new(self, days: float) -> float:
        """Repeat purchases to be expected of a new customer in `days` (eq. 9)."""
        a, b, r, alpha = self.a, self.b, self.r, self.alpha
        ratio = hyp2f1(r, b, a + b - 1, days / (alpha + days))
        return float((a + b - 1) / (a - 1) * (1 - (alpha / (alpha + days)) ** r * ratio))


def log_likelihood(model: Model, customers: Histories) -> Array:
    """Of each customer (eq. 6)."""
    x, t_x, t = customers.repeats, customers.age_at_last, customers.age
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stays = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + t)
    # the chance to have left right after the last purchase; nobody leaves without one
    leaves = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + t_x)
    return np.asarray(common + np.where(x > 0, np.logaddexp(stays, leaves), stays), dtype=np.float64)


def fit(customers: Histories) -> Model | None:
    """Return the population of greatest likelihood; None for too few customers or where nobody ever came back.

    Searches over logarithms with time in units of the mean age, so that one start suits every shop.
    """
    if len(customers.age) < MIN_CUSTOMERS or not np.any(customers.repeats > 0):
        return None
    from scipy.optimize import minimize  # half a second of every start, were it at the top

    unit = float(np.mean(customers.age)) or 1.0
    scaled, weights = _distinct(customers, unit)

    def loss(logs: Array) -> float:
        each = log_likelihood(Model(*np.exp(logs)), scaled)
        return float(-(weights @ each) / weights.sum() + _RIDGE * np.sum(logs**2))

    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=[(-_BOUND, _BOUND)] * 4)
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return Model(r, alpha * unit, a, b)


def _distinct(customers: Histories, unit: float) -> tuple[Histories, Array]:
    """Equal histories once, with their number: shops have many customers and few kinds."""
    table = np.column_stack((customers.repeats, customers.age_at_last, customers.age))
    kinds, counts = np.unique(table, axis=0, return_counts=True)
    return Histories(kinds[:, 0], kinds[:, 1] / unit, kinds[:, 2] / unit), counts.astype(np.float64)
