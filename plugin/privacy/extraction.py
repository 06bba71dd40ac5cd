"""For Babel: the sentences of a manifest's key `privacy` that pages show, so that they come into the catalogues."""

import ast
from collections.abc import Iterable, Iterator
from typing import IO, Any

SHOWN = ("what", "because")

Found = tuple[int, None, str, list[str]]


def extract(file: IO[bytes], keywords: Iterable[str], comment_tags: Iterable[str], options: Any) -> Iterator[Found]:
    """The sentences of a `__manifest__.py`, each with its line; babel.cfg names this function."""
    tree = ast.parse(file.read())
    for declared in _values(tree, "privacy"):
        for name in SHOWN:
            for sentence in _values(declared, name):
                if isinstance(sentence, ast.Constant) and isinstance(sentence.value, str):
                    yield sentence.lineno, None, sentence.value, []


def _values(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    """What stands under this key in any dict below."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == name:
                    yield value
