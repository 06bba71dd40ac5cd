"""The kinds of files and their fields: what a cell of each holds, and the names that its column may have.

A column is known by its name in any case, with spaces, underscores or neither; `[sources.NAME.columns]` names others.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from plugin.errors import N_
from plugin.imports import FileKind

NUMBER, TEXT, MAIL, DAY, TAGS = "number", "text", "mail", "day", "tags"


@dataclass(frozen=True)
class Field:
    """A field: what its cells hold, how long they may be, whether each row must have it, and its columns' names."""

    name: str
    holds: str
    longest: int = 200
    required: bool = False
    headers: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of file. `key` is the field that is unique in it; `samples` are rows of generated people."""

    name: str
    fields: tuple[Field, ...]
    key: str
    samples: tuple[tuple[str, ...], ...]

    def field(self, name: str) -> Field:
        """The field of this name."""
        return next(field for field in self.fields if field.name == name)

    @property
    def required(self) -> list[str]:
        """The fields that every file must have a column for."""
        return [field.name for field in self.fields if field.required]


_NUMBER = Field(
    "employee_number",
    NUMBER,
    100,
    required=True,
    headers=(
        "employee number", "employee no", "employee no.", "employee id", "employee code", "emp no", "emp id", "emp no.",
        "staff number", "staff no", "staff no.", "staff id", "personnel number", "personnel no", "worker id",
        "工号", "员工工号", "员工编号", "员工号", "职工编号", "职工号", "职工工号", "人员编号", "人员工号", "员工代码", "工號", "員工編號",
    ),
    about=N_("The number of the employee, as text: it is never counted with, and keeps its leading zeros."),
)  # fmt: skip
_CODE = (
    Field("name", TEXT, 200, headers=("title", "description", "名称", "名稱"), about=N_("What people call it; the code if empty.")),
    Field(
        "valid_from", DAY, 30, headers=("valid from", "from", "start", "start date", "生效日期", "启用日期", "开始日期"),
        about=N_("The first day on which there is one; empty: always."),
    ),
    Field(
        "valid_until", DAY, 30, headers=("valid until", "until", "end", "end date", "失效日期", "停用日期", "结束日期"),
        about=N_("The first day on which there is none any more; empty: on and on."),
    ),
)  # fmt: skip


def _unit(*headers: str) -> Field:
    about = N_("Its code: what the employees' file writes in the column of that name.")
    return Field(
        "code", TEXT, 200, required=True, headers=("id", "编码", "代码", "编号", "編碼", *headers), about=about
    )


_MANAGER = Field(
    "manager", NUMBER, 100,
    headers=(
        "manager number", "manager no", "manager id", "manager employee number", "line manager", "supervisor", "reports to",
        "supervisor id", "supervisor number", "上级", "上级工号", "直属上级", "直属上级工号", "直接上级", "直接上级工号",
        "主管", "主管工号",
        "经理", "经理工号", "汇报对象", "汇报对象工号", "上級", "主管工號",
    ),
    about=N_("The employee number of their manager."),
)  # fmt: skip
_LEFT = Field(
    "left", DAY, 30,
    headers=(
        "left on", "leaving date", "date left", "date of leaving", "last day", "termination date", "end date", "exit date",
        "resignation date", "离职日期", "离职时间", "离职日", "终止日期", "退出日期", "離職日期",
    ),
    about=N_("The first day on which they are not with the organisation any more, written as 2026-11-23."),
)  # fmt: skip

EMPLOYEES = Kind(
    "employees",
    (
        _NUMBER,
        Field(
            "name", TEXT, 300, required=True,
            headers=("full name", "employee name", "display name", "staff name", "姓名", "员工姓名", "名字", "人员姓名", "職員姓名"),
            about=N_("Their name."),
        ),
        Field(
            "email", MAIL, 320,
            headers=("e-mail", "mail", "email address", "e-mail address", "work email",
                     "邮箱", "电子邮箱", "电子邮件", "邮件", "公司邮箱", "工作邮箱", "郵箱"),
            about=N_("Their e-mail address at work."),
        ),
        Field(
            "department", TEXT, 200,
            headers=("dept", "department code", "department name", "org unit", "organisation unit", "organizational unit",
                     "部门", "部门名称", "所属部门", "部门编码", "部门代码", "所在部门", "部門"),
            about=N_("The code of their department; one that is not known yet is made."),
        ),
        Field(
            "position", TEXT, 200,
            headers=("job title", "job", "post", "position title", "position code", "position name",
                     "岗位", "职位", "岗位名称", "职位名称", "岗位编码", "职务", "職位"),
            about=N_("The code of their position; one that is not known yet is made."),
        ),
        Field(
            "grade", TEXT, 200,
            headers=("job grade", "pay grade", "level", "job level", "band", "grade code", "职级", "级别", "职等", "薪级", "等级", "職級"),
            about=N_("The code of their grade; one that is not known yet is made."),
        ),
        _MANAGER,
        Field(
            "joined", DAY, 30,
            headers=("joined on", "joining date", "hire date", "hired", "hired on", "date of hire", "date joined", "start date",
                     "entry date", "入职日期", "入职时间", "入职日", "入司日期", "到岗日期", "入職日期"),
            about=N_("The day on which they joined, written as 2026-11-23."),
        ),
        _LEFT,
        Field(
            "tags", TAGS, 2000, headers=("labels", "标签", "标记", "標籤"),
            about=N_("Words by which requirements pick people out, separated by semicolons."),
        ),
    ),
    "employee_number",
    (
        ("001001", "Lin Xiaoyun", "lin.xiaoyun@acme.example", "PLANT", "MANAGER", "G6", "", "2019-03-01", "", ""),
        ("001002", "王示例", "wang.shili@acme.example", "PLANT", "FORKLIFT-DRIVER", "G3", "001001", "2024-07-15", "", "first-aider;夜班"),
        ("001003", "Sam Sample", "sam.sample@acme.example", "OFFICE", "CLERK", "G2", "001001", "2021-01-04", "2026-12-31", ""),
    ),
)  # fmt: skip
DEPARTMENTS = Kind(
    "departments",
    (
        _unit("department", "department code", "dept", "部门编码", "部门代码", "部门编号"),
        Field("name", TEXT, 200, headers=("department name", "title", "名称", "部门名称", "部门", "名稱"), about=_CODE[0].about),
        Field(
            "parent", TEXT, 200,
            headers=("parent code", "parent department", "parent department code", "above",
                     "上级部门", "上级部门编码", "上级编码", "父部门", "上级"),
            about=N_("The code of the department that it belongs to; empty: none."),
        ),
        *_CODE[1:],
    ),
    "code",
    (("ACME", "Acme Works", "", "", ""), ("PLANT", "工厂", "ACME", "2019-01-01", ""), ("OFFICE", "Office", "ACME", "", "")),
)  # fmt: skip
POSITIONS = Kind(
    "positions",
    (_unit("position", "position code", "岗位编码", "职位编码", "岗位代码", "职位代码"), *_CODE),
    "code",
    (("MANAGER", "Manager", "", ""), ("FORKLIFT-DRIVER", "叉车司机", "", "")),
)
GRADES = Kind(
    "grades",
    (_unit("grade", "grade code", "职级编码", "职级", "职级代码", "薪级"), *_CODE),
    "code",
    (("G2", "Grade 2", "", ""), ("G3", "三级", "", "")),
)
MANAGERS = Kind(
    "managers",
    (_NUMBER, Field(_MANAGER.name, NUMBER, 100, required=True, headers=_MANAGER.headers, about=_MANAGER.about)),
    "employee_number",
    (("001002", "001001"), ("001003", "001001")),
)
LEAVERS = Kind(
    "leavers",
    (_NUMBER, Field(_LEFT.name, DAY, 30, required=True, headers=_LEFT.headers, about=_LEFT.about)),
    "employee_number",
    (("001003", "2026-12-31"),),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (EMPLOYEES, DEPARTMENTS, POSITIONS, GRADES, MANAGERS, LEAVERS)}


def of_another(kind: FileKind) -> Kind:
    """A kind of another addon's, for its template: its columns are known by their names alone."""
    fields = tuple(Field(each.name, TEXT, required=each.needed, about=each.about) for each in kind.columns)
    return Kind(kind.name, fields, fields[0].name, kind.samples)


IGNORED = re.compile(r"[\s_\-*:：（）()]+")


@lru_cache(maxsize=4096)
def folded(header: str) -> str:
    """A column's name as it is compared: without case, spaces, underscores, stars and invisible characters."""
    text = unicodedata.normalize("NFKC", header)
    visible = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Cc") or letter.isspace())
    return IGNORED.sub("", visible).casefold()


def known_headers(kind: Kind, own: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The fields by what their columns may be called, folded. Names of the settings go before those that are built in."""
    found: dict[str, str] = {}
    for field in kind.fields:
        for header in own.get(field.name, ()):
            found.setdefault(folded(header), field.name)
    for field in kind.fields:
        found.setdefault(folded(field.name), field.name)
    for field in kind.fields:
        for header in field.headers:
            found.setdefault(folded(header), field.name)
    return found
