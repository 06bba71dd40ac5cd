"""The table of docs/privacy.md: what is held about people, why, how long, what erasing does, and who sees it."""

from plugin.privacy.declarations import BLANK, DELETE, KEEP, SEALED, Declarations, Rule
from plugin.privacy.retention import kept_for
from plugin.roles import RIGHTS
from plugin.settings import Settings

ERASING = {
    DELETE: "deleted",
    BLANK: "blanked: {columns}",
    SEALED: "blanked; the digest stays",
    KEEP: "kept. {because}",
}


def inventory(declared: Declarations, settings: Settings) -> str:
    """The table, and that of the kinds, as Markdown."""
    lines = [
        "| table | what is held, and why | kept | when the person is erased | seen by |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_line(rule, declared, settings) for rule in declared.rules]
    lines += ["", "| kind | what | kept, unless the settings say otherwise |", "| --- | --- | --- |"]
    lines += [f"| `{kind.name}` | {kind.what} | {kind.keep} |" for kind in declared.kinds]
    return "\n".join(lines) + "\n"


def _line(rule: Rule, declared: Declarations, settings: Settings) -> str:
    erasing = ERASING[rule.erase].format(columns=", ".join(rule.blank), because=rule.because)
    kept = kept_for(rule, declared, settings)
    return f"| `{rule.name}` | {rule.what} {rule.why} | {kept} | {erasing} | {_seen_by(rule)} |"


def _seen_by(rule: Rule) -> str:
    if rule.right is None:
        return "nobody, on any page"
    return ", ".join(
        f"{role} ({reach})" if reach != "everybody" else role for role, reach in RIGHTS[rule.right].items()
    )
