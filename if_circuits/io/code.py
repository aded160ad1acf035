"""Digests of code: what a result was made by, so that a result of other code is never taken for a new one.

A digest covers the module that defines a function or a class, and what that module imports of the same
package, of this one and of the user's own files, all the way down. Comments, layout, docstrings, annotations
and the messages of errors do not count.

What stands in no file, such as a cell of a notebook, counts by its bytecode and that of the functions that it
calls. Its digest is that of one Python version only.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import logging
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

import numpy as np

_PACKAGE = __name__.partition(".")[0]
_PLACES = frozenset({"site-packages", "dist-packages"})
_STDLIB = sys.stdlib_module_names
_BENEATH = frozenset(
    {"jaxtyping", "matplotlib", "numpy", "pandas", "pyarrow", "safetensors", "scipy", "sklearn"}
    | {"statsmodels", "tokenizers", "torch", "transformer_lens", "transformers"}
)
_SAID: set[str] = set()
_logger = logging.getLogger(__name__)


def code_digest(*things: object, skip: Callable[[str], bool] | None = None) -> str:
    """SHA-256 of the code and the values that modules, functions, classes and objects are made of.

    Args:
        things: Modules, functions (with the values that they close over), classes, objects (their class and
            their attributes, arrays and tensors included), containers and plain values.
        skip: Told the name of each module that is met; True leaves it out, with what only it imports.

    An object's state counts as far as Python sees it: what a C extension holds does not.
    """
    walk = _Walk()
    digest = hashlib.sha256()
    for thing in things:
        for piece in walk.pieces(thing):
            digest.update(piece)
    for name, path in sorted(_closure(walk.modules, skip or (lambda _: False)).items()):
        digest.update(f"<module {name}>{_module_digest(path, path.stat().st_mtime_ns)}".encode())
    return digest.hexdigest()


class _Walk:
    """Goes through values, and collects the modules whose code they are."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self._seen: dict[int, object] = {}
        """By identity; the objects are held, so that none of them makes room for another."""

    def pieces(self, value: object) -> Iterator[bytes]:
        yield f"<{type(value).__qualname__}>".encode()
        if value is None or isinstance(value, str | bytes | bool | int | float | complex):
            yield repr(value).encode()
            return
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        yield from self._pieces(value)

    def _pieces(self, value: object) -> Iterator[bytes]:
        if isinstance(value, ModuleType):
            self._module(value.__name__)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, MethodType):
            yield from self.pieces(value.__func__)
            yield from self.pieces(value.__self__)
        elif isinstance(value, functools.partial):
            yield from self.pieces((value.func, value.args, value.keywords))
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, re.Pattern):
            yield repr((value.pattern, value.flags)).encode()
        elif isinstance(value, np.ndarray):
            yield f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
        elif isinstance(value, Path):
            yield str(value).encode()
        elif isinstance(value, Mapping):
            yield from self._sorted(cast("Mapping[object, object]", value).items())
        elif isinstance(value, Set):
            yield from self._sorted(cast("Set[object]", value))
        elif isinstance(value, Sequence):
            for item in cast("Sequence[object]", value):
                yield from self.pieces(item)
        elif callable(detach := getattr(value, "detach", None)):  # a tensor, of a library not imported here
            yield from self.pieces(cast("Any", detach()).float().cpu().numpy())
        else:
            yield from self._object(value)

    def _sorted(self, items: Any) -> Iterator[bytes]:
        yield from sorted(b"".join(self.pieces(item)) for item in items)

    def _function(self, function: FunctionType) -> Iterator[bytes]:
        yield function.__qualname__.encode()
        if not self._module(function.__module__):
            yield from self._bytecode(function)
        cells = function.__closure__ or ()
        yield from self.pieces([cell.cell_contents for cell in cells])
        yield from self.pieces([function.__defaults__, function.__kwdefaults__])
        if (wrapped := getattr(function, "__wrapped__", None)) is not None:
            yield from self.pieces(wrapped)

    def _bytecode(self, function: FunctionType) -> Iterator[bytes]:
        """For code in no file: its own, and what it names in its module."""
        if function.__module__ not in _SAID:
            _SAID.add(function.__module__)
            _logger.info("%s has no source file: its functions count by bytecode", function.__module__)
        yield from _code_pieces(function.__code__)
        names = [name for code in _codes(function.__code__) for name in code.co_names]
        used = {name: function.__globals__[name] for name in names if name in function.__globals__}
        for name in sorted(used):
            yield from self.pieces((name, used[name]))

    def _class(self, kind: type) -> Iterator[bytes]:
        yield f"{kind.__module__}.{kind.__qualname__}".encode()
        for base in kind.__mro__:
            if base.__module__ == "builtins" or self._module(base.__module__) or _installed(base.__module__):
                continue
            for name, member in sorted(vars(base).items()):
                inner = getattr(member, "__func__", getattr(member, "fget", member))
                if isinstance(inner, FunctionType):
                    yield from self.pieces((name, inner))
                elif not name.startswith("__"):
                    yield from self.pieces((name, member))

    def _object(self, value: object) -> Iterator[bytes]:
        yield from self._class(type(value))
        if is_dataclass(value):
            state = {field.name: getattr(value, field.name) for field in fields(value)}
        else:
            state = dict(getattr(value, "__dict__", {}))
        yield from self.pieces(state)

    def _module(self, name: str) -> bool:
        """Note a module's code; False where there is none to read."""
        if _own_source(name) is None:
            return _installed(name)
        self.modules.add(name)
        return True


def _code_pieces(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_pieces(constant)
        elif constant != code.co_consts[0] or not isinstance(constant, str):  # the first is the docstring
            yield repr(constant).encode()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _closure(roots: Set[str], skip: Callable[[str], bool]) -> dict[str, Path]:
    """The source files of modules and of all that they import of a user's or a package's own."""
    tops = {name.partition(".")[0] for name in roots} | {_PACKAGE}
    found: dict[str, Path] = {}
    waiting = sorted(roots)
    while waiting:
        name = waiting.pop()
        if name in found or skip(name):
            continue
        path = _own_source(name)
        # Others' packages count only where they are what is asked about.
        if path is None or (_is_installed(path) and name.partition(".")[0] not in tops):
            continue
        found[name] = path
        waiting += _imports(path, path.stat().st_mtime_ns, name)
    return found


def _own_source(name: str) -> Path | None:
    """The source file of a module that is not Python's; None where there is none."""
    module = sys.modules.get(name)
    try:
        origin = getattr(module, "__file__", None) if module is not None else _origin(name)
    except (ImportError, ValueError, AttributeError):
        return None
    path = Path(origin) if origin else None
    if path is None or path.suffix != ".py" or not path.is_file():
        return None
    return None if _beneath(name) else path


def _beneath(name: str) -> bool:
    return name != "__main__" and name.partition(".")[0] in _STDLIB | _BENEATH


def _origin(name: str) -> str | None:
    spec = find_spec(name)
    return spec.origin if spec is not None else None


def _is_installed(path: Path) -> bool:
    """Whether a file lies where packages are installed: this environment's place or another's on the path."""
    return any(path.is_relative_to(place) for place in _installs()) or bool(_PLACES & set(path.parts))


@functools.cache
def _installs() -> frozenset[str]:
    return frozenset(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))


def _installed(name: str) -> bool:
    """Whether a module is Python's own, compiled, or of a library beneath: neither ours nor a notebook's."""
    if _beneath(name):
        return True
    origin = getattr(sys.modules.get(name), "__file__", None)
    return origin is not None and not str(origin).endswith(".py")


@functools.cache
def _imports(path: Path, modified: int, name: str) -> tuple[str, ...]:
    """The modules that a file imports, at its top and within its functions, by their full names."""
    del modified  # a part of the cache's key
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not _beneath(node.module or ""):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            modules = [each for each in inner if _is_module(each)]
            found += modules
            if len(modules) < len(inner):
                found.append(base)
    return tuple(found)


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        return find_spec(name) is not None
    except Exception:  # to look for a submodule imports its parent, which may raise what it likes
        return False


@functools.cache
def _module_digest(path: Path, modified: int) -> str:
    del modified
    return hashlib.sha256("".join(_syntax(_parsed(path))).encode()).hexdigest()


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


_BODIES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_SILENT = {"annotation", "returns", "type_comment", "ctx"}


def _syntax(node: object) -> Iterator[str]:
    """A syntax tree as text, the same in every version of Python, without what changes no result."""
    if isinstance(node, list):
        for item in cast("list[object]", node):
            yield from _syntax(item)
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        yield f"(Raise {ast.unparse(node.exc.func)})"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if value is None and not isinstance(node, ast.Constant):
                continue
            if value == [] or (name in _SILENT and not isinstance(node, ast.AnnAssign)):
                continue
            yield f" {name}="
            body = isinstance(node, _BODIES) and name == "body" and ast.get_docstring(node, clean=False)
            yield from _syntax(cast("list[object]", value)[1:] if body else value)
        yield ")"
    else:
        yield repr(node)
