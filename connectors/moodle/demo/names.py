"""Names, departments and positions that the generated organisation is made of."""

# (as written, as it appears in a username)
EUROPEAN_GIVEN = (
    ("Anna", "anna"), ("Björn", "bjorn"), ("Chloé", "chloe"), ("Dimitri", "dimitri"), ("Elena", "elena"),
    ("Frédéric", "frederic"), ("Giulia", "giulia"), ("Hanna", "hanna"), ("Ivo", "ivo"), ("Jürgen", "jurgen"),
    ("Katarzyna", "katarzyna"), ("Łucja", "lucja"), ("Marta", "marta"), ("Niamh", "niamh"), ("Oskar", "oskar"),
    ("Pedro", "pedro"), ("Ruth", "ruth"), ("Søren", "soren"), ("Tomáš", "tomas"), ("Zoë", "zoe"),
)  # fmt: skip
EUROPEAN_FAMILY = (
    ("Andersson", "andersson"), ("Bakker", "bakker"), ("Costa", "costa"), ("Dvořák", "dvorak"),
    ("Esposito", "esposito"), ("Fischer", "fischer"), ("Grünwald", "grunwald"), ("Horváth", "horvath"),
    ("Ibáñez", "ibanez"), ("Jansen", "jansen"), ("Kovač", "kovac"), ("Lefèvre", "lefevre"),
    ("MacLeod", "macleod"), ("Nowak", "nowak"), ("O'Connor", "oconnor"), ("Petrov", "petrov"),
    ("Rossi", "rossi"), ("Szabó", "szabo"), ("van Dijk", "vandijk"), ("Weiß", "weiss"),
)  # fmt: skip
CHINESE_GIVEN = (
    ("安", "an"), ("博", "bo"), ("晨", "chen"), ("丹丹", "dandan"), ("方", "fang"), ("桂英", "guiying"),
    ("海燕", "haiyan"), ("嘉", "jia"), ("静", "jing"), ("俊杰", "junjie"), ("丽华", "lihua"), ("明", "ming"),
    ("宁", "ning"), ("强", "qiang"), ("思远", "siyuan"), ("婷", "ting"), ("伟", "wei"), ("晓东", "xiaodong"),
    ("雪梅", "xuemei"), ("志强", "zhiqiang"),
)  # fmt: skip
CHINESE_FAMILY = (
    ("陈", "chen"), ("邓", "deng"), ("冯", "feng"), ("高", "gao"), ("何", "he"), ("黄", "huang"), ("李", "li"),
    ("林", "lin"), ("刘", "liu"), ("马", "ma"), ("孙", "sun"), ("唐", "tang"), ("王", "wang"), ("吴", "wu"),
    ("徐", "xu"), ("杨", "yang"), ("张", "zhang"), ("赵", "zhao"), ("郑", "zheng"), ("周", "zhou"),
)  # fmt: skip

DEPARTMENTS = (
    "Production", "Logistics", "Maintenance", "Quality", "R&D", "Finance", "Human resources", "客户支持",
)  # fmt: skip

# Position, the grades it is paid at, and how often it occurs below the managers.
POSITIONS: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("Operator", ("G1", "G2"), 36),
    ("Warehouse clerk", ("G1", "G2", "G3"), 10),
    ("Technician", ("G2", "G3", "G4"), 14),
    ("Team leader", ("G3", "G4"), 10),
    ("Engineer", ("G4", "G5"), 12),
    ("Safety officer", ("G4", "G5"), 3),
    ("HR specialist", ("G4", "G5"), 3),
    ("Accountant", ("G4", "G5"), 4),
    ("Shift supervisor", ("G5", "G6"), 8),
)
MANAGER = "Manager"
DIRECTOR = "Site director"

# Where a promotion from a position leads.
NEXT_POSITION = {
    "Operator": "Team leader",
    "Warehouse clerk": "Team leader",
    "Technician": "Engineer",
    "Team leader": "Shift supervisor",
    "Engineer": "Manager",
    "Safety officer": "Shift supervisor",
    "HR specialist": "Manager",
    "Accountant": "Manager",
    "Shift supervisor": "Manager",
}

# Institution, town and country of an LMS account.
SITES = (("Acme 中国", "苏州", "CN"), ("Acme GmbH", "Bremen", "DE"), ("Acme SA", "Lyon", "FR"))
