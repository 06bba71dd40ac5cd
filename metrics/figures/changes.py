"""What figures of paired changes have in common: the mean of the changes with its interval, and how many pairs."""

from collections.abc import Sequence
from decimal import Decimal

from metrics.figures.figure import Number
from metrics.figures.statistics import FEW, Mean, mean_with_interval
from metrics.figures.words import Words

TOO_FEW = Words("There are fewer than two pairs: a mean change would say nothing.", "配对不足两组，平均变化没有意义。")
WORDS = {
    "pairs": Words("pairs", "配对数"),
    "interval_low": Words("95 % interval, from", "95% 置信区间下限"),
    "interval_high": Words("95 % interval, to", "95% 置信区间上限"),
    "improved": Words("improved", "有改善的人数"),
    "improved_share": Words("share improved", "有改善的比例"),
    "few_pairs": Words("fewer than 5 pairs: the interval says little", "配对不足 5 组，置信区间仅供参考"),
}


def beside(changes: Sequence[Decimal], mean: Mean | None = None) -> dict[str, Number]:
    """What stands beside a mean of changes, where more is better; `mean` where its interval is another than their own."""
    found: dict[str, Number] = {"pairs": len(changes)}
    if not changes:
        return found
    shown = mean or mean_with_interval(changes)
    if shown.low is not None and shown.high is not None:
        found |= {"interval_low": shown.low, "interval_high": shown.high}
    improved = sum(change > 0 for change in changes)
    return found | {"improved": improved, "improved_share": Decimal(improved) / len(changes)}


def few(changes: Sequence[Decimal]) -> dict[str, int]:
    """The warning that the pairs are few."""
    return {"few_pairs": int(2 <= len(changes) < FEW)}
