"""`archsyncd`: the daemon and its first-day commands. Turns faults into sentences and exit statuses."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from archsyncd import __version__
from archsyncd.adapters.clock import SystemChance, SystemClock
from archsyncd.adapters.journal import say, set_up
from archsyncd.adapters.systemd import activated_sockets, notifier
from archsyncd.app import App
from archsyncd.config import (
    ConfigurationFaults,
    CredentialFault,
    CredentialMissing,
    Settings,
    credential_directory,
    load,
    read_credential,
    refuse_secrets,
)
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import (
    EXIT_CONFIGURATION,
    EXIT_FENCED_OFF,
    EXIT_RESTART,
    EXIT_STORE,
    EXIT_USAGE,
    Fatal,
)
from archsyncd.opening import adopt
from archsyncd.operator.control import serving
from archsyncd.operator.samples import recording
from archsyncd.operator.sockets import CONTROL
from archsyncd.world import World

CONFIG = Path("/etc/archsyncd/config.toml")
MACHINE_ID = Path("/etc/machine-id")
LOGGER = logging.getLogger("archsyncd")


class Parser(argparse.ArgumentParser):
    """argparse with the exit status that systemd does not restart from."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what was wrong, and leave with 64."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The command line of `archsyncd`."""
    top = Parser(
        prog="archsyncd",
        description="Keeps Archean R247 stock and commercetools inventory in step without overselling.",
        epilog=f"Exit status: 0 stopped, {EXIT_RESTART} an error that was not expected, {EXIT_USAGE} usage, {EXIT_FENCED_OFF} "
        f"another instance writes, {EXIT_STORE} the store cannot be used, {EXIT_CONFIGURATION} configuration.",
    )
    top.add_argument("--version", action="version", version=f"archsyncd {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, parser_class=Parser)
    run = verbs.add_parser("run", help="run the daemon in the foreground")
    _common(run)
    check = verbs.add_parser("check-config", help="check the configuration, all faults at once")
    _common(check)
    check.add_argument("--online", action="store_true", help="also ask commercetools and the feeds")
    check.add_argument("--explain", metavar="KEY", help="explain one key and leave")
    move = verbs.add_parser(
        "adopt",
        help="let a copied database belong to this host, or its project have a new address",
    )
    _common(move)
    demo = verbs.add_parser("demo", help="a day's trade against simulators, to watch")
    demo.add_argument("--seconds", type=int, default=None, help="length of the day (default 40)")
    demo.add_argument("--seed", type=int, default=1, help="which day (default %(default)s)")
    demo.add_argument("--json", action="store_true", help="end with one JSON object")
    demo.add_argument(
        "--serve", action="store_true", help="only start the simulators and print their addresses"
    )
    return top


def _common(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--config", type=Path, default=CONFIG, help="configuration file (default %(default)s)")
    verb.add_argument(
        "--credentials",
        type=Path,
        default=None,
        help="directory of credential files (default $CREDENTIALS_DIRECTORY)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; its exit status."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # First of all: a usage error repeats what it does not understand.
        refuse_secrets({}, argv)
        given = parser().parse_args(argv)
        return int(_VERBS[given.verb](given))
    except ConfigurationFaults as faults:
        for fault in faults.faults:
            print(f"archsyncd: {fault}", file=sys.stderr)
        return EXIT_CONFIGURATION
    except CredentialFault as fault:
        print(f"archsyncd: {fault}", file=sys.stderr)
        return EXIT_CONFIGURATION
    except Fatal as fatal:
        print(f"archsyncd: {fatal.sentence}", file=sys.stderr)
        return fatal.code


def _settings(
    given: argparse.Namespace, environment: Mapping[str, str], *, with_secrets: bool = True
) -> Settings:
    return load(given.config, given.credentials, environment, require_credentials=with_secrets)


def _run(given: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415 - the other verbs need no event loop of their own

    clock = SystemClock()
    journal = set_up("info", os.environ, sys.stderr, clock.monotonic)
    try:
        settings = _settings(given, os.environ)
        LOGGER.setLevel(settings.daemon.log_level.upper())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, replace(_world(given, clock), tick=journal.tick)))
    except ConfigurationFaults as faults:
        for fault in faults.faults:
            say(LOGGER, Event.CONFIGURATION_REFUSED, str(fault))
        return EXIT_CONFIGURATION
    except CredentialFault as fault:
        say(LOGGER, Event.CONFIGURATION_REFUSED, str(fault))
        return EXIT_CONFIGURATION
    except Fatal as fatal:
        say(LOGGER, Event.FATAL, fatal.sentence)
        return fatal.code
    except Exception:
        LOGGER.exception("an error that was not expected ended the daemon")
        return EXIT_RESTART
    else:
        say(LOGGER, Event.STOPPED, "stopped")
        return 0
    finally:
        journal.close()


async def _serve(settings: Settings, world: World) -> None:
    app = App(settings, world)
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[list[str]]] = set()

    def reload() -> None:
        task = asyncio.create_task(app.reload())
        reloads.add(task)
        task.add_done_callback(_reloaded)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        await app.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        await asyncio.gather(*reloads, return_exceptions=True)


def _reloaded(task: asyncio.Task[list[str]]) -> None:
    # Refusals were told where they were found; the daemon goes on with the configuration before.
    if not task.cancelled():
        with contextlib.suppress(ConfigurationFaults, Fatal):
            error = task.exception()
            if error is not None:
                raise error


def _world(given: argparse.Namespace, clock: SystemClock) -> World:
    directory = credential_directory(given.credentials, os.environ)

    def secret(name: str) -> str:
        if directory is None:
            raise CredentialMissing(name, "no credential directory is given")
        return read_credential(directory, name).reveal()

    # One of a name: a socket unit with several addresses has them served by the first.
    passed = {name: group[0] for name, group in activated_sockets(os.environ, os.getpid()).items()}
    return World(
        clock=clock,
        chance=SystemChance(),
        secret=secret,
        new_id=partial(secrets.token_hex, 8),
        host_id=host_id(MACHINE_ID),
        host_name=socket.gethostname(),
        pid=os.getpid(),
        notifier=notifier(os.environ, os.getpid()),
        reload=partial(load, given.config, given.credentials, dict(os.environ)),
        control=partial(_people, secret, passed),
        sockets=passed,
    )


@contextlib.asynccontextmanager
async def _people(
    secret: Callable[[str], str], passed: Mapping[str, socket.socket], app: App
) -> AsyncIterator[None]:
    """Whoever asks, reads and acts while the daemon runs; `passed` are the sockets that systemd opened for them."""
    from archsyncd.operator.page import showing  # noqa: PLC0415 - its templates are only for the daemon that serves them

    async with serving(app, passed.get(CONTROL)), showing(app, secret, passed), recording(app):
        yield


def host_id(machine_id: Path) -> str:
    """This host, by its machine id, which a copied disk image should not share; by its name where there is none."""
    try:
        text = machine_id.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    return hashlib.sha256(f"archsyncd {text or socket.gethostname()}".encode()).hexdigest()[:32]


def _check(given: argparse.Namespace) -> int:
    from archsyncd import checking  # noqa: PLC0415 - only this verb needs it

    if given.explain:
        print(checking.explain(given.explain))
        return 0
    code, text = asyncio.run(checking.check(given.config, given.credentials, online=given.online))
    print(text)
    return code


def _adopt(given: argparse.Namespace) -> int:
    settings = _settings(given, os.environ, with_secrets=False)
    print(asyncio.run(adopt(settings, _world(given, SystemClock()))))
    return 0


def _demo(given: argparse.Namespace) -> int:
    from archsyncd import demo  # noqa: PLC0415 - only this verb needs the simulators

    return demo.main(seconds=given.seconds, seed=given.seed, as_json=given.json, serve=given.serve)


_VERBS = {"run": _run, "check-config": _check, "adopt": _adopt, "demo": _demo}

if __name__ == "__main__":
    sys.exit(main())
