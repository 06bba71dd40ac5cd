"""The exceptions: one tree, drawn where it is defined."""

import re

from plugin import errors


def _drawn() -> dict[str, str]:
    """The tree of the docstring: each class with the class that it stands under."""
    parents: dict[int, str] = {}
    tree: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ((?:│   |    )*)(├── |└── )?(\w+Error)\b", line):
            depth = len(found[1]) // 4 + bool(found[2])
            parents[depth] = found[3]
            tree[found[3]] = parents[depth - 1] if depth else "Exception"
    return tree


def test_drawn_tree_is_the_tree_of_classes() -> None:
    """The module's docstring draws every exception under the class that it inherits from, and no other."""
    classes = {name: thing for name, thing in vars(errors).items() if isinstance(thing, type)}
    assert _drawn() == {name: thing.__base__.__name__ for name, thing in classes.items()}


def test_exit_status_of_wrong_settings_differs() -> None:
    """A script can tell wrong settings from everything else by the exit status."""
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    assert {thing.exit_code for thing in classes if thing is not errors.SettingsError} == {1}
    assert errors.SettingsError.exit_code == 2
