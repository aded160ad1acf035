"""Extension points: named tasks, judges, probe methods, erasure methods and model presets, ours and others'.

Each kind has one `Registry`, beside the protocol that its members follow, and one decorator there: `task`,
`judge`, `probe_method`, `erasure_method`, `preset`. All five are used alike. The decorator takes the name,
makes a member of the function or class below it, and leaves that function or class as it is:

    @judge("shouting")
    def shouting(text: str) -> str:
        return "loud" if text.isupper() else "calm"

A member may also come from an installed package, which then needs no import, by an entry point of the
registry's group that names what was decorated:

    [project.entry-points."if_circuits.judges"]
    shouting = "my_package.judges:shouting"

Nothing is read at import: our own modules are imported and entry points are listed at the first lookup, and
a package's module is imported when its own name is looked up. So a package that is broken, or takes a name
that is taken, costs that name alone. It is refused and not passed over with a warning: whoever asked for a
name must get it, not a study without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from if_circuits.errors import InputError

_OURS = f"{__name__.partition('.')[0]}."
"""How the names of this library's own modules begin."""

Member = TypeVar("Member")
Registered = TypeVar("Registered")


@dataclass(frozen=True)
class _Entry(Generic[Member]):
    member: Member
    origin: str
    """The module that registered it."""
    source: object
    """What was decorated: a function or a class, or the member itself."""


class Registry(Generic[Member]):
    """The members of one kind, by name."""

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        modules: Sequence[str],
        expects: str,
        adapt: Callable[[str, object], Member | None],
    ) -> None:
        """`modules` are ours, which register the built-in members. `adapt` makes the member of a name from a
        function or class: None for what is not of this kind, which `expects` says in words; InputError for
        what nearly is.
        """
        self._kind, self._group, self._modules = kind, group, tuple(modules)
        self._expects, self._adapt = expects, adapt
        self._registered: dict[str, _Entry[Member]] = {}
        self._entry_points: dict[str, list[EntryPoint]] | None = None

    def register(self, name: str, *, origin: str | None = None) -> Callable[[Registered], Registered]:
        """A decorator that adds a member under `name`, made from what it decorates and gives back unchanged.

        Raises InputError if the name is taken, or if what is decorated is not of this kind. Whoever runs the
        cell of a notebook again replaces what the cell defined before.
        """
        origin = calling_module() if origin is None else origin

        def add(source: Registered) -> Registered:
            self.add(name, self._member(name, source, origin=origin), origin=origin, source=source)
            return source

        return add

    def add(self, name: str, member: Member, *, origin: str, source: object = None) -> None:
        """Add a member that the module `origin` made of `source`. Raises InputError if the name is taken."""
        _check_name(self._kind, name)
        source = member if source is None else source
        if not origin.startswith(_OURS):
            self._import_own()  # so that others' members meet ours, whichever come first
        taken = self._registered.get(name)
        if taken is not None and not (taken.origin == origin and _same_definition(taken.source, source)):
            raise InputError(
                f"a {self._kind} named {name!r} is registered already, by {taken.origin}; "
                f"choose another name in {origin}"
            )
        self._registered[name] = _Entry(member, origin, source)

    def get(self, name: str) -> Member:
        """The member of that name.

        Raises InputError if there is none, if two have the name, or if the package that offers it is broken.
        """
        offered = self._offered().get(name, [])
        if not offered and name not in self._registered:
            raise InputError(f"unknown {self._kind} {name!r}; expected one of {', '.join(self.names())}")
        found = [(self._load(entry), _package(entry)) for entry in offered]
        # After the loading, since a module may register what its entry point names.
        registered = self._registered.get(name)
        if registered is not None:
            found.insert(0, (registered.source, registered.origin))
        source, origin = found[0]
        for other, rival in found[1:]:
            if other is not source:
                raise InputError(
                    f"{self._kind} {name!r} is defined twice, by {origin} and by {rival}; "
                    "rename one of them or uninstall its package"
                )
        return registered.member if registered is not None else self._member(name, source, origin=origin)

    def names(self) -> tuple[str, ...]:
        """All names: ours, others' that are registered, and those that packages offer, loaded or not."""
        offered = self._offered()
        return tuple(dict.fromkeys([*self.built_in(), *self._registered, *sorted(offered)]))

    def built_in(self) -> tuple[str, ...]:
        """The names of this library's own members, in the order of its modules, whichever came first."""
        self._import_own()
        own = [name for name, entry in self._registered.items() if entry.origin.startswith(_OURS)]
        place = {module: index for index, module in enumerate(self._modules)}
        return tuple(sorted(own, key=lambda name: place.get(self._registered[name].origin, len(place))))

    def _offered(self) -> dict[str, list[EntryPoint]]:
        """The entry points of each name, listed once."""
        self._import_own()
        if self._entry_points is None:
            listed: dict[str, list[EntryPoint]] = {}
            for entry in entry_points(group=self._group):
                listed.setdefault(entry.name, []).append(entry)
            self._entry_points = listed
        return self._entry_points

    def _import_own(self) -> None:
        for module in self._modules:
            import_module(module)

    def _load(self, entry: EntryPoint) -> object:
        try:
            return entry.load()
        except Exception as error:  # whatever a stranger's module may raise
            cause = str(error).strip() or "no message"
            raise InputError(
                f"{self._kind} {entry.name!r} of {_package(entry)} cannot be loaded: "
                f"{type(error).__name__}: {cause}; repair or uninstall that package"
            ) from error

    def _member(self, name: str, source: object, *, origin: str) -> Member:
        try:
            member = self._adapt(name, source)
        except InputError as error:
            raise InputError(f"{self._kind} {name!r} of {origin}: {error}") from error
        if member is None:
            raise InputError(
                f"{self._kind} {name!r} of {origin} must be {self._expects}, got {type(source).__name__}"
            )
        return member


@dataclass(frozen=True)
class Arguments:
    """What a user's function takes, read off its signature once, so that it is called with no more."""

    required: frozenset[str]
    """Keywords without a default."""
    keywords: frozenset[str]
    """All keywords."""
    any_keyword: bool

    @classmethod
    def of(cls, function: Callable[..., Any], *, positional: Sequence[str]) -> Arguments:
        """The arguments of a function whose first ones are called `positional` in messages.

        Raises InputError unless it takes so many by position, and the others by keyword.
        """
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            raise InputError(f"the signature of {function!r} cannot be read") from error
        kinds = inspect.Parameter
        given = list(signature.parameters.values())
        first = [one for one in given if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
        n = len(positional)
        takes = len(first) >= n or any(one.kind is kinds.VAR_POSITIONAL for one in given)
        named = [*first[n:], *(one for one in given if one.kind is kinds.KEYWORD_ONLY)]
        if not takes or any(one.kind is kinds.POSITIONAL_ONLY for one in first[n:]):
            raise InputError(
                f"it is called with {', '.join(positional)} by position and all else by keyword, "
                f"but takes {signature}"
            )
        return cls(
            required=frozenset(one.name for one in named if one.default is kinds.empty),
            keywords=frozenset(one.name for one in named),
            any_keyword=any(one.kind is kinds.VAR_KEYWORD for one in given),
        )

    def check_required(self, offered: Iterable[str]) -> None:
        """Raise InputError if a keyword without a default is none of those offered."""
        if unknown := sorted(self.required - set(offered)):
            given = ", ".join(offered) or "nothing"
            raise InputError(f"it takes {', '.join(unknown)}, which nothing gives; given is {given}")

    def accepted(self, **offered: Any) -> dict[str, Any]:
        """Those of the offered keywords that the function takes."""
        return {name: value for name, value in offered.items() if self.any_keyword or name in self.keywords}


def calling_module() -> str:
    """The name of the module that called the caller of this function, to say who registered what."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame.f_back if frame is not None else None
    return str(frame.f_globals.get("__name__", "an unnamed module")) if frame is not None else "no module"


def _package(entry: EntryPoint) -> str:
    """Who offers an entry point."""
    distribution = entry.dist
    name = distribution.name if distribution is not None else "unknown"
    return f"package {name!r} ({entry.value})"


def _check_name(kind: str, name: str) -> None:
    if not name or any(character.isspace() for character in name):
        raise InputError(f"{name!r} cannot name a {kind}; give a name without spaces")


def _same_definition(first: object, second: object) -> bool:
    """Whether two functions or classes of a module have one name, as after its code ran again."""
    name = getattr(first, "__qualname__", None)
    return name is not None and name == getattr(second, "__qualname__", None) and "<lambda>" not in name
