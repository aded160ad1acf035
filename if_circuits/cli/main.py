"""The command line. Heavy libraries are imported by the commands that need them: help comes at once."""

import argparse
import errno
import sys
from collections.abc import Callable, Sequence
from typing import Never

from if_circuits.cli import (
    analyse,
    calibrate,
    compare,
    doctor,
    generate,
    judge,
    known_answers,
    listing,
    monitor,
    plan,
    report,
    run,
    verify,
)
from if_circuits.errors import InputError
from if_circuits.version import __version__

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS})
"""A full disk, a quota, a limit on files, no right to write: none of them a fault of the study."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line, without the usage around it."""

    def error(self, message: str) -> Never:
        self.exit(2, f"{self.prog}: error: {_one_line(message)}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code: 2 when the user's input cannot be used, 1 when
    the disk cannot be written, 130 when interrupted."""
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except InputError as error:
        where = getattr(error, "__notes__", ())  # such as the unit of work
        sys.stderr.write(f"if-circuits: error: {_one_line('; '.join([str(error), *where]))}\n")
        return 2
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        where = f" ({error.filename})" if error.filename else ""
        sys.stderr.write(
            f"if-circuits: error: {error.strerror}{where}; what was finished is kept: make room, or give the "
            "right to write, and the same command goes on from here\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("if-circuits: stopped; the same command goes on from here\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="if-circuits",
        description="How a language model follows instructions: probes, erasure and ablation, as one study.",
    )
    parser.add_argument("--version", action="version", version=f"if-circuits {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (
        run,
        plan,
        analyse,
        report,
        verify,
        compare,
        generate,
        monitor,
        doctor,
        known_answers,
        calibrate,
        judge,
        listing,
    ):
        command.add_parser(commands)
    return parser


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
