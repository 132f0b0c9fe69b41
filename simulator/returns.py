"""Minute returns of one source of risk, for any day, without drawing the days before it.

The return of a whole day is drawn first; the minutes of the day are drawn on their own and then bent, in
proportion to their variance, so that they add up to it. For Gaussian minutes that is exactly a random walk.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import numpy as np

from simulator.noise import generator

DAY_MINUTES = 1_440
DAY_HOURS = 24
TAIL_DEGREES = 4  # of Student's t
_CHUNK_DAYS = 512  # the calendars grow by this many days; what was drawn stays as it was
_SLOW_MEMORY = 0.92  # of the log volatility, from one day to the next
_SLOW_SCALE, _FAST_SCALE = 0.45, 0.30  # standard deviations of the two parts of the log volatility
_FAST_WEIGHTS = 0.85 ** np.arange(DAY_HOURS)
_FAST_WEIGHTS /= math.sqrt(float((_FAST_WEIGHTS**2).sum()))
# Busiest in the American morning, quietest at night in Europe.
_SEASON = 1.0 + 0.35 * np.cos(2 * np.pi * (np.arange(DAY_MINUTES) - 900) / DAY_MINUTES)
_HOUR_SEASON = (_SEASON.reshape(DAY_HOURS, 60) ** 2).mean(axis=1)
_HOUR_FRACTION = (np.arange(60) + 0.5) / 60


class Calendar:
    """A series from the first day of the market on, made longer when a later day is asked for.

    `compute(days)` must return the same numbers again for the days it has already given.
    """

    def __init__(self, compute: Callable[[int], np.ndarray]) -> None:
        """Draw nothing yet."""
        self._compute = compute
        self._values = np.empty(0)
        self._days = 0

    def through(self, day: int) -> np.ndarray:
        """Return the series, long enough to hold `day` and the one after it."""
        if day + 2 > self._days:
            self._days = (day + 2 + _CHUNK_DAYS - 1) // _CHUNK_DAYS * _CHUNK_DAYS
            self._values = self._compute(self._days)
        return self._values


def log_volatility(seed: int, name: str) -> Calendar:
    """Return the hourly log volatility called `name`: slow swings over weeks, fast ones over hours; mean square 1."""

    def compute(days: int) -> np.ndarray:
        slow = np.interp(np.arange(days * DAY_HOURS) / DAY_HOURS, np.arange(days + 1), _slow_swings(seed, name, days))
        noise = generator(seed, f"{name}/fast").standard_normal((days + 1) * DAY_HOURS)
        fast = np.zeros(days * DAY_HOURS)
        for lag, weight in enumerate(_FAST_WEIGHTS.tolist()):
            fast += weight * noise[DAY_HOURS - lag : DAY_HOURS - lag + len(fast)]
        return _SLOW_SCALE * slow + _FAST_SCALE * fast - (_SLOW_SCALE**2 + _FAST_SCALE**2)

    return Calendar(compute)


def _slow_swings(seed: int, name: str, days: int) -> list[float]:
    value, swings = 0.0, []
    for shock in generator(seed, f"{name}/slow").standard_normal(days + 1).tolist():
        value = _SLOW_MEMORY * value + math.sqrt(1 - _SLOW_MEMORY**2) * shock
        swings.append(value)
    return swings


class Returns(Protocol):
    """One source of risk."""

    def days(self, count: int) -> np.ndarray:
        """Return the log returns of the first `count` days."""

    def minutes(self, days: range) -> tuple[np.ndarray, np.ndarray]:
        """Return log returns and standard deviations of every minute: two matrices, one line a day."""


class CalmReturns:
    """Gaussian minute returns of one fixed volatility: nothing about them can be known in advance."""

    def __init__(self, seed: int, name: str, sigma: float) -> None:
        """Draw for `name`; `sigma` is the standard deviation of a minute's log return."""
        self._seed, self._name, self._sigma = seed, name, sigma
        self._day_scale = sigma * math.sqrt(DAY_MINUTES)

    def days(self, count: int) -> np.ndarray:
        """Return the log returns of the first `count` days."""
        return generator(self._seed, f"{self._name}/days").standard_normal(count) * self._day_scale

    def minutes(self, days: range) -> tuple[np.ndarray, np.ndarray]:
        """Return log returns and standard deviations of every minute: two matrices, one line a day."""
        noise = np.stack([generator(self._seed, self._name, day).standard_normal(DAY_MINUTES) for day in days])
        returns = noise * self._sigma
        whole = self.days(days.stop)[days.start :]
        returns += ((whole - returns.sum(axis=1)) / DAY_MINUTES)[:, None]
        return returns, np.full(returns.shape, self._sigma)


class ClusteredReturns:
    """Minute returns with fat tails, volatility clusters and busy hours."""

    def __init__(self, seed: int, name: str, sigma: float, volatility: tuple[tuple[float, Calendar], ...]) -> None:
        """Draw for `name`; the log volatility is the weighted sum of the calendars, `sigma` its level a minute."""
        self._seed, self._name, self._sigma, self._volatility = seed, name, sigma, volatility
        self._variances = Calendar(self._compute_variances)
        self._days = Calendar(self._compute_days)

    def days(self, count: int) -> np.ndarray:
        """Return the log returns of the first `count` days."""
        return self._days.through(count)[:count]

    def minutes(self, days: range) -> tuple[np.ndarray, np.ndarray]:
        """Return log returns and standard deviations of every minute: two matrices, one line a day."""
        variances = self._minute_variances(days)
        sigmas = np.sqrt(variances)
        returns = np.stack([_fat_tails(generator(self._seed, self._name, day)) for day in days]) * sigmas
        whole_variance = self._variances.through(days.stop)[days.start : days.stop]
        missing = self.days(days.stop)[days.start :] - returns.sum(axis=1)
        returns += variances * (missing / whole_variance)[:, None]
        return returns, sigmas

    def _minute_variances(self, days: range) -> np.ndarray:
        hours = self._hours(days.stop + 1)[days.start * DAY_HOURS : days.stop * DAY_HOURS + 1]
        steps = np.diff(hours)
        logs = hours[:-1, None] + steps[:, None] * _HOUR_FRACTION
        variances = np.exp(2 * logs).reshape(len(days), DAY_MINUTES)
        variances *= _SEASON**2
        whole = self._variances.through(days.stop)[days.start : days.stop]
        variances *= (whole / variances.sum(axis=1))[:, None]
        return variances

    def _hours(self, days: int) -> np.ndarray:
        first, *others = [weight * calendar.through(days)[: days * DAY_HOURS] for weight, calendar in self._volatility]
        for other in others:
            first = first + other
        return first

    def _compute_variances(self, days: int) -> np.ndarray:
        hours = self._hours(days + 1)
        middles = np.exp(hours[: days * DAY_HOURS] + hours[1 : days * DAY_HOURS + 1])
        variances: np.ndarray = middles.reshape(days, DAY_HOURS) * (60 * self._sigma**2 * _HOUR_SEASON)
        return np.asarray(variances.sum(axis=1))

    def _compute_days(self, days: int) -> np.ndarray:
        noise = generator(self._seed, f"{self._name}/days").standard_normal(days)
        returns: np.ndarray = noise * np.sqrt(self._variances.through(days)[:days])
        return returns


class SharedReturns:
    """Returns that many symbols ask for: the minutes of the days used last are kept.

    Key: the day; until `capacity` newer days were asked for (23 kB each); nobody needs to clear what never changes.
    """

    def __init__(self, returns: Returns, capacity: int) -> None:
        """Keep up to `capacity` days of `returns`."""
        self._returns, self._capacity = returns, capacity
        self._kept: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    def days(self, count: int) -> np.ndarray:
        """Return the log returns of the first `count` days."""
        return self._returns.days(count)

    def minutes(self, days: range) -> tuple[np.ndarray, np.ndarray]:
        """Return log returns and standard deviations of every minute: two matrices, one line a day."""
        lines = [self._minutes_of(day) for day in days]
        return np.concatenate([returns for returns, _ in lines]), np.concatenate([sigmas for _, sigmas in lines])

    def _minutes_of(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        if day in self._kept:
            self._kept.move_to_end(day)
            return self._kept[day]
        self._kept[day] = self._returns.minutes(range(day, day + 1))
        if len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return self._kept[day]


def _fat_tails(numbers: np.random.Generator) -> np.ndarray:
    """Return a day of Student's t with four degrees of freedom, scaled to variance one.

    A chi-square of four degrees is twice the sum of two exponentials.
    """
    waits = numbers.standard_exponential((2, DAY_MINUTES))
    tails: np.ndarray = numbers.standard_normal(DAY_MINUTES) / np.sqrt(waits[0] + waits[1])
    return tails
