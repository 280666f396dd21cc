"""Every sentence with which the tool, or a Space that it made, refuses something.

They are read from the source, so none can be forgotten: what fills in a sentence at run time is
shown as “…”.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
GENERATOR = ROOT / "generator" / "spaces_gen"
CHECKS = ROOT / "hooks" / "space_checks"
TEMPLATE = ROOT / "template"
GAP = "…"

# Where the sentence stands among the arguments of what raises or makes an error. Classes that
# derive from the first three are found.
AT = {"UserError": 0, "VisitorError": 0, "FrontMatterError": 1}
FOR_OWNERS = {"exit": 0, "ValueError": 0, "TypeError": 0, "RuntimeError": 0}
PLACES = {
    GENERATOR: AT,
    CHECKS: {**AT, "refuse": 0, "error": 2, "warning": 2},
    # what `checked` of texts.py says where nothing was typed is its third argument
    TEMPLATE: {**AT, **FOR_OWNERS, "HTTPException": 1, "Error": 0, "checked": 2, "checked_wish": 3},
}
# Modules whose constants are sentences.
OF_SENTENCES = {
    *(TEMPLATE / "serving" / name for name in ("errors.py", "causes.py", "apology.py")),
    GENERATOR / "hub" / "causes.py",
}
# Says what nobody foresaw.
CLI = GENERATOR / "cli.py"
# The module whose sentences are the ends of another one.
OBSTACLES = GENERATOR / "inspecting" / "obstacles.py"

# Caught where they are raised, or told to other code only.
INTERNAL = {
    "an address of another kind",
    "too many redirects",
    "too large",
    "no file",
    "no number",
    "no choice",
    "no recording",
    "… is no upload",
    "… holds no media",
    "… is no kind of media",
    "… cannot be kept",
    "… cannot be written as JSON",
    "predict got …",
    "predict raised …",
    "the Space is shutting down",
    "Validation error for question",
}


@dataclass(frozen=True)
class Message:
    """A sentence, and where the source says it."""

    text: str
    place: str


@cache
def messages() -> tuple[Message, ...]:
    """All of them, in the order of the source."""
    return (
        *(found for folder, names in PLACES.items() for found in of_folder(folder, names)),
        *of_questions(),
    )


def of_folder(folder: Path, names: dict[str, int], root: Path = ROOT) -> Iterator[Message]:
    """The sentences in the Python files of a folder."""
    sources = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources_of(folder)}
    known = {**names, **derived(sources.values(), names)}
    for path, tree in sources.items():
        constants = assigned(tree.body)
        for node, scope in with_scope(tree, {}):
            for expression in sentences(node, known, path):
                line = getattr(node, "lineno", 0)
                for text in resolved(expression, {**constants, **scope}):
                    if is_sentence(text):
                        yield Message(text, f"{path.relative_to(root)}:{line}")


def sources_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "_bundle" not in path.parts)


def derived(trees: Iterable[ast.Module], names: dict[str, int]) -> dict[str, int]:
    """The classes that derive from one of `names`, however far."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = dict(names)
    for _ in classes:
        for node in classes:
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            for base in bases:
                if base in known:
                    known[node.name] = known[base]
    return known


def with_scope(
    node: ast.AST, scope: dict[str, list[ast.expr]]
) -> Iterator[tuple[ast.AST, dict[str, list[ast.expr]]]]:
    """Every node, with what the names of the functions around it may stand for."""
    for child in ast.iter_child_nodes(node):
        yield child, scope
        inner = scope
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = {**scope, **defaults(child), **assigned(list(ast.walk(child)))}
        yield from with_scope(child, inner)


def defaults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, list[ast.expr]]:
    """By name of a parameter, its default."""
    names = [argument.arg for argument in function.args.args][::-1]
    return {name: [value] for name, value in zip(names, function.args.defaults[::-1], strict=False)}


def assigned(nodes: list[ast.AST] | list[ast.stmt]) -> dict[str, list[ast.expr]]:
    """By name, all that is assigned to it."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            pairs = [pair for target in node.targets for pair in unpacked(target, node.value)]
        elif isinstance(node, ast.AnnAssign) and node.value:
            pairs = [(node.target, node.value)]
        else:
            continue
        for target, value in pairs:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(value)
    return found


def unpacked(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=False))
    return [(target, value)]


def sentences(node: ast.AST, known: dict[str, int], path: Path) -> Iterator[ast.expr]:
    """The expressions of `node` itself that are a sentence for people."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in known and len(node.args) > known[name]:
            yield node.args[known[name]]
        elif node.args and (
            (name == "__init__" and path.name == "errors.py")
            or (name == "echo" and any(one.arg == "err" for one in node.keywords))
        ):
            yield node.args[0]
    if path == CLI and isinstance(node, ast.Assign):
        if isinstance(node.value, ast.JoinedStr):
            yield node.value
    elif isinstance(node, ast.Assign | ast.AnnAssign) and path in OF_SENTENCES and node.value:
        yield node.value
    elif isinstance(node, ast.Tuple) and path in OF_SENTENCES and len(node.elts) == 2:
        yield node.elts[1]
    elif isinstance(node, ast.Assign | ast.Return) and path.name in ("apology.py", "follow.py"):
        if node.value:
            yield node.value
    elif isinstance(node, ast.Return | ast.Yield) and path == OBSTACLES and node.value:
        yield node.value


def resolved(node: ast.expr, scope: dict[str, list[ast.expr]]) -> list[str]:
    """What an expression may say, with gaps for what only running it tells."""
    return [re.sub(r"…[…\s]*…", GAP, " ".join(one.split())) for one in said(node, scope, 0)]


def said(node: ast.expr, scope: dict[str, list[ast.expr]], depth: int) -> list[str]:
    if depth > 3:
        return [GAP]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.sub(r"\{\w*\}", GAP, re.sub(r"</?\w[^>]*>", "", node.value))]
    if isinstance(node, ast.JoinedStr):
        parts = [
            str(part.value).replace("{{", "{") if isinstance(part, ast.Constant) else GAP
            for part in node.values
        ]
        return [re.sub(r"\{\w+\}", GAP, re.sub(r"</?\w[^>]*>", "", "".join(parts)))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = said(node.left, scope, depth), said(node.right, scope, depth)
        return [one + other for one in left for other in right]
    if isinstance(node, ast.IfExp):
        return [*said(node.body, scope, depth), *said(node.orelse, scope, depth)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return said(node.func.value, scope, depth)
        if node.func.attr == "escape" and node.args:
            return said(node.args[0], scope, depth)
    if isinstance(node, ast.Name) and node.id in scope:
        return [one for value in scope[node.id] for one in said(value, scope, depth + 1)]
    return [GAP]


def is_sentence(text: str) -> bool:
    """Whether it has words of its own, and people read it."""
    words = re.findall(r"[A-Za-z]{2,}", text)
    return len(words) > 1 and text not in INTERNAL


def of_questions() -> Iterator[Message]:
    """What copier.yml says of answers that it refuses."""
    spec = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    for key, question in spec.items():
        validator = question.get("validator", "") if isinstance(question, dict) else ""
        plain = re.sub(r"\{\{.*?\}\}", GAP, re.sub(r"\{%.*?%\}", "\n", validator, flags=re.DOTALL))
        for line in plain.splitlines():
            if is_sentence(line):
                yield Message(" ".join(line.split()), f"copier.yml: {key}")


if __name__ == "__main__":
    for message in messages():
        print(f"{message.place}\t{message.text}")
