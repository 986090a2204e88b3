"""A verdict: one figure of quality against its limit, with a reason. Tables and images are judged in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

#: From good to bad; ``untested`` says that there was not enough to judge by.
WORDS = ("pass", "untested", "warn", "fail")


@dataclass(frozen=True)
class Verdict:
    """One figure against its limit.

    Attributes
    ----------
    name : str
        What was judged.
    value, limit : float
        The figure and the limit that decided (NaN where there is none).
    verdict : {'pass', 'warn', 'fail', 'untested'}
        `warn` asks for a look, `fail` keeps the product from use.
    reason : str
        Expected and found, in words.
    """

    name: str
    value: float
    limit: float
    verdict: str
    reason: str

    @classmethod
    def of(cls, name: str, value: float, limit: float, ok: bool | None, reason: str) -> Verdict:
        """A verdict that is good, bad, or (None) could not be made."""
        return cls(name, value, limit, "untested" if ok is None else "pass" if ok else "fail", reason)

    @property
    def ok(self) -> bool | None:
        """Whether the product may be used; None when that was not tested."""
        return None if self.verdict == "untested" else self.verdict != "fail"

    def record(self) -> dict[str, Any]:
        """For JSON: the attributes and `ok`."""
        return {**asdict(self), "ok": self.ok}


def overall(verdicts: Iterable[Verdict]) -> str:
    """The worst word of some verdicts; what was not tested does not count."""
    found = {v.verdict for v in verdicts}
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"
