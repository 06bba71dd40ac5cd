"""The sandbox's courses: a company's safety and compliance catalogue."""

from connectors.moodle.demo.records import Category, Course

CATEGORIES = (
    Category(1, "Safety 安全"),
    Category(2, "Health 健康"),
    Category(3, "Compliance 合规"),
    Category(4, "Leadership 领导力"),
)

# Short name, full name, category, quiz maximum, pass mark (0: none), share of the people enrolled.
_LINES = (
    ("FIRE", "Fire safety 消防安全", 1, 100, 80, 0.95),
    ("FORK", "Forklift driving 叉车驾驶", 1, 100, 80, 0.30),
    ("AID", "First aid 急救", 2, 100, 60, 0.35),
    ("DATA", "Data protection 数据保护", 3, 100, 80, 0.80),
    ("ABC", "Anti-bribery 反贿赂", 3, 100, 80, 0.70),
    ("HEIGHT", "Working at height 高处作业", 1, 100, 80, 0.35),
    ("LOTO", "Lockout and tagout 上锁挂牌", 1, 20, 16, 0.30),
    ("QDAY", "Quality day 质量日", 4, 100, 60, 0.40),
    ("LEAD", "Leading a shift 班组管理", 4, 100, 0, 0.30),
    ("EXPORT", "Export control 出口管制", 3, 100, 60, 0.20),
    ("LIFT", "Manual handling 人工搬运", 2, 100, 60, 0.50),
    ("BULL", "Safety bulletin 安全通报", 1, 100, 60, 0.70),
)
_WITHOUT_IDNUMBER = {"LIFT"}
_WITHOUT_COMPLETION = {"QDAY", "BULL"}
_HIDDEN = {"EXPORT"}


def catalogue(now: int) -> list[Course]:
    """Return the twelve courses; ids start at 2 because 1 is the site itself."""
    return [
        Course(
            id=number + 1,
            shortname=shortname,
            fullname=fullname,
            idnumber="" if shortname in _WITHOUT_IDNUMBER else f"CRS-{number}",
            category=category,
            completion=shortname not in _WITHOUT_COMPLETION,
            visible=shortname not in _HIDDEN,
            quiz_maximum=maximum,
            pass_mark=pass_mark,
            share=share,
            start=now - 4 * 365 * 86400,
            modified=now - (200 + number) * 86400,
        )
        for number, (shortname, fullname, category, maximum, pass_mark, share) in enumerate(_LINES, start=1)
    ]
