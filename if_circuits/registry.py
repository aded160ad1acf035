"""Extension points: named tasks, judges, erasure methods, probes and model presets, ours and others'.

Each kind has one `Registry`, beside the protocol that its members follow. A member comes from a decorator:

    @judges.register("shouting")
    class Shouting: ...

or from an installed package, which then needs no import, by an entry point of the registry's group:

    [project.entry-points."if_circuits.judges"]
    shouting = "my_package.judges:Shouting"

Nothing is read at import: our own modules are imported and entry points are listed at the first lookup, and
a package's module is imported when its own name is looked up. So a package that is broken, or takes a name
that is taken, costs that name alone. It is refused and not passed over with a warning: whoever asked for a
name must get it, not a study without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

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


class Registry(Generic[Member]):
    """The members of one kind, by name."""

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        modules: Sequence[str],
        expects: str,
        accepts: Callable[[object], bool],
    ) -> None:
        """`modules` are ours, which register the built-in members; `expects` says in words what `accepts`
        lets in.
        """
        self._kind, self._group, self._modules = kind, group, tuple(modules)
        self._expects, self._accepts = expects, accepts
        self._registered: dict[str, _Entry[Member]] = {}
        self._entry_points: dict[str, list[EntryPoint]] | None = None

    def register(self, name: str) -> Callable[[Registered], Registered]:
        """A decorator that adds a member under `name`.

        Raises InputError if the name is taken, or if what is decorated is not of this kind.
        """
        origin = calling_module()

        def add(member: Registered) -> Registered:
            self.add(name, cast(Member, member), origin=origin)
            return member

        return add

    def add(self, name: str, member: Member, *, origin: str) -> None:
        """Add a member that the module `origin` defines. Raises InputError as `register` does."""
        self._check(name, member, origin=origin)
        if not origin.startswith(_OURS):
            self._import_own()  # so that others' members meet ours, whichever come first
        taken = self._registered.get(name)
        if taken is not None:
            raise InputError(
                f"a {self._kind} named {name!r} is registered already, by {taken.origin}; "
                f"choose another name in {origin}"
            )
        self._registered[name] = _Entry(member, origin)

    def get(self, name: str) -> Member:
        """The member of that name.

        Raises InputError if there is none, if two have the name, or if the package that offers it is broken.
        """
        offered = self._offered().get(name, [])
        if not offered and name not in self._registered:
            raise InputError(f"unknown {self._kind} {name!r}; expected one of {', '.join(self.names())}")
        found = [(self._load(entry), _package(entry)) for entry in offered]
        # After the loading, since a module may register what its entry point names.
        if name in self._registered:
            entry = self._registered[name]
            found.insert(0, (entry.member, entry.origin))
        member, origin = found[0]
        for other, rival in found[1:]:
            if other is not member:
                raise InputError(
                    f"{self._kind} {name!r} is defined twice, by {origin} and by {rival}; "
                    "rename one of them or uninstall its package"
                )
        return member

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

    def _load(self, entry: EntryPoint) -> Member:
        try:
            member = entry.load()
        except Exception as error:  # whatever a stranger's module may raise
            cause = str(error).strip() or "no message"
            raise InputError(
                f"{self._kind} {entry.name!r} of {_package(entry)} cannot be loaded: "
                f"{type(error).__name__}: {cause}; repair or uninstall that package"
            ) from error
        self._check(entry.name, member, origin=_package(entry))
        return member

    def _check(self, name: str, member: object, *, origin: str) -> None:
        if not name or any(character.isspace() for character in name):
            raise InputError(f"{name!r} cannot name a {self._kind}; give a name without spaces")
        if not self._accepts(member):
            raise InputError(
                f"{self._kind} {name!r} of {origin} must be {self._expects}, got {type(member).__name__}"
            )


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
