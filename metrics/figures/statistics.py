"""Means of changes with their 95 % intervals, by Student's t distribution.

Values come in as Decimal and go out as Decimal; the quantile of t is worked out in floating point, to nine digits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

CONFIDENCE = 0.975  # two-sided 95 %
FEW = 5  # pairs: below that the interval says little


@dataclass(frozen=True)
class Mean:
    """A mean of `count` values; `low` and `high` bound it with 95 % confidence, None where there are too few values."""

    value: Decimal
    count: int
    low: Decimal | None
    high: Decimal | None


def mean(values: Sequence[Decimal]) -> Decimal:
    """The arithmetic mean of at least one value."""
    return sum(values, Decimal(0)) / len(values)


def variance(values: Sequence[Decimal]) -> Decimal:
    """The sample variance of at least two values."""
    middle = mean(values)
    return sum(((value - middle) ** 2 for value in values), Decimal(0)) / (len(values) - 1)


def mean_with_interval(values: Sequence[Decimal]) -> Mean:
    """The mean of the values and its interval."""
    middle, count = mean(values), len(values)
    if count < 2:
        return Mean(middle, count, None, None)
    half = _t(float(count - 1)) * (variance(values) / count).sqrt()
    return Mean(middle, count, middle - half, middle + half)


def difference(one: Sequence[Decimal], other: Sequence[Decimal]) -> Mean:
    """How much larger the mean of `one` is than that of `other`, with Welch's interval for unequal variances."""
    middle, count = mean(one) - mean(other), len(one)
    if len(one) < 2 or len(other) < 2:
        return Mean(middle, count, None, None)
    parts = [variance(values) / len(values) for values in (one, other)]
    error = sum(parts, Decimal(0))
    if not error:
        return Mean(middle, count, middle, middle)
    weights = [part**2 / (len(values) - 1) for part, values in zip(parts, (one, other), strict=True)]
    half = _t(float(error**2 / sum(weights, Decimal(0)))) * error.sqrt()
    return Mean(middle, count, middle - half, middle + half)


def _t(freedom: float) -> Decimal:
    return Decimal(repr(round(t_quantile(freedom), 9)))


@cache
def t_quantile(freedom: float) -> float:
    """The 97.5 % quantile of Student's t with so many degrees of freedom, by halving."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        if _t_below(middle, freedom) < CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _t_below(t: float, freedom: float) -> float:
    """The probability that Student's t is below `t`, which is not negative."""
    return 1 - _beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    fraction = 0.0
    for m in range(300, 0, -1):
        odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        fraction = odd / (1 + even / (1 + fraction))
    return front / a / (1 + fraction)
