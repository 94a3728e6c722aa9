"""Published beside measured: how far apart they are, and whether that is near. Information, not a verdict."""

from typing import Any, Final

TOLERANCE: Final = 0.10  # what a bank publishes is rounded, and days differ by about as much (busyness of a day, 10 %)


def beside(published: float, measured: float | None) -> dict[str, Any]:
    """What stands beside a figure: the published value, how far the measured one is from it, and whether that is near.

    `deviation` is a share of the published value; there is none of a figure without a value, or published as zero.
    """
    if measured is None or not published:
        return {"published": published}
    deviation = round(measured / published - 1, 4)
    return {"published": published, "deviation": deviation, "within": abs(deviation) <= TOLERANCE}
