"""`archsyncd simulate`: the outside worlds as servers, for whoever develops or tries a source. Decides nothing.

The command line is declared without the simulators, which are loaded when one of them is to run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archsyncd.config import read_secret
from archsyncd.domain.fatal import EXIT_USAGE, Fatal
from archsyncd.simulators.switch_names import FAULTS

if TYPE_CHECKING:
    from archsyncd.simulators.commercetools.stand_alone import Project
    from archsyncd.simulators.pubsub.stand_alone import Queue
    from archsyncd.simulators.r247.stand_alone import Site

R247_PORT, COMMERCETOOLS_PORT, PUBSUB_PORT = 8247, 8248, 8085
SECRET_VARIABLE: Final = "ARCHSYNCD_SIMULATOR_SECRET"  # noqa: S105 - the name of a variable, so that no argument carries it
OPEN_SECRET: Final = "simulator-secret"  # noqa: S105 - known to everybody
_R247_EXAMPLES: Final = """\
examples:
  archsyncd simulate r247
  archsyncd simulate r247 --location WH1 --location WH2 --fault late --changes 5
  archsyncd simulate r247 --drop /tmp/r247 --form csv
  archsyncctl verify-source http://127.0.0.1:8247
  curl -s -d '{"name":"gap"}' http://127.0.0.1:8247/_simulator/switches
"""
_COMMERCETOOLS_EXAMPLES: Final = """\
examples:
  archsyncd simulate commercetools --project-key shop --channel warehouse-1
  curl -s http://127.0.0.1:8248/_simulator/summary
"""
_PUBSUB_EXAMPLES: Final = """\
examples:
  archsyncd simulate pubsub
  curl -s http://127.0.0.1:8085/v1/projects/demo/subscriptions/archsyncd:pull -d '{"maxMessages":10}'
"""


def declare(verbs: argparse._SubParsersAction[Any], made: type[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line; `made` makes parsers."""
    simulate = verbs.add_parser(
        "simulate", help="a simulated Archean R247, commercetools or Pub/Sub, to develop against"
    )
    which = simulate.add_subparsers(dest="which", required=True, parser_class=made)
    _declare_r247(
        which.add_parser(
            "r247",
            help="a source that speaks r247/1, with a little trade, and faults that are switched on at any time",
            epilog=f"{_R247_EXAMPLES}\nfaults:\n"
            + "".join(f"  {name:<15} {says}\n" for name, says in FAULTS.items()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _declare_commercetools(
        which.add_parser(
            "commercetools",
            help="a project with channels and products, and faults by its own interface",
            epilog=_COMMERCETOOLS_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    _declare_pubsub(
        which.add_parser(
            "pubsub",
            help="a Google Pub/Sub with one topic and one subscription, to publish to",
            epilog=_PUBSUB_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )


def _place(verb: argparse.ArgumentParser, port: int) -> None:
    verb.add_argument("--host", default="127.0.0.1", help="where to listen (default %(default)s)")
    verb.add_argument("--port", type=int, default=port, help="0 takes a free one (default %(default)s)")


def _stock(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--seed", type=int, default=1, help="which stock and which trade (default %(default)s)")
    verb.add_argument("--skus", type=int, default=20, metavar="N", help="how many SKUs (default %(default)s)")


def _declare_r247(verb: argparse.ArgumentParser) -> None:
    _place(verb, R247_PORT)
    _stock(verb)
    verb.add_argument("--feed", default="main", metavar="NAME", help="the feed's name (default %(default)s)")
    verb.add_argument(
        "--location", action="append", default=[], metavar="NAME", help="may be repeated (default WH1)"
    )
    verb.add_argument(
        "--changes",
        type=float,
        default=1.0,
        metavar="N",
        help="changes of stock a second (default %(default)s)",
    )
    verb.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=tuple(FAULTS),
        metavar="FAULT",
        help="what is wrong from the beginning, see below; may be repeated",
    )
    verb.add_argument(
        "--auth", default="none", choices=("none", "bearer", "basic", "api-key"), help="who may ask"
    )
    verb.add_argument(
        "--credential-file", type=Path, metavar="FILE", help="holds the token, key, or user:password"
    )
    verb.add_argument(
        "--reflection",
        default="all",
        choices=("ordersIncluded", "ordersThrough", "accepted-only", "position-only", "none", "all"),
        help="how it proves which orders its figures exclude (default %(default)s)",
    )
    verb.add_argument(
        "--movements",
        default="none",
        choices=("none", "bare", "balance"),
        help="tell changes as movements, without or with the balance after them (default %(default)s: levels)",
    )
    verb.add_argument("--drop", type=Path, metavar="DIR", help="write files into a directory as well")
    verb.add_argument(
        "--form",
        default="ndjson",
        choices=("ndjson", "csv", "json"),
        help="of the files (default %(default)s)",
    )
    verb.add_argument(
        "--file-seconds", type=float, default=10.0, metavar="N", help="between files (default %(default)s)"
    )


def _declare_commercetools(verb: argparse.ArgumentParser) -> None:
    _place(verb, COMMERCETOOLS_PORT)
    _stock(verb)
    verb.add_argument("--project-key", default="demo", metavar="KEY", help="(default %(default)s)")
    verb.add_argument("--client-id", default="archsyncd", metavar="ID", help="(default %(default)s)")
    verb.add_argument(
        "--channel", action="append", default=[], metavar="KEY", help="may be repeated (default warehouse-1)"
    )
    verb.add_argument("--credential-file", type=Path, metavar="FILE", help="holds the client's secret")


def _declare_pubsub(verb: argparse.ArgumentParser) -> None:
    _place(verb, PUBSUB_PORT)
    verb.add_argument(
        "--topic", default="projects/demo/topics/r247", metavar="NAME", help="(default %(default)s)"
    )
    verb.add_argument(
        "--subscription",
        default="projects/demo/subscriptions/archsyncd",
        metavar="NAME",
        help="(default %(default)s)",
    )


def simulate(
    given: argparse.Namespace, tell: Callable[[str], None], environment: Mapping[str, str] = os.environ
) -> int:
    """Serve until SIGINT or SIGTERM. Raises Fatal, CredentialFault."""
    try:
        work = _work(given, environment)
        asyncio.run(_until_stopped(lambda stop: work(tell, stop)))
    except ImportError as error:
        raise Fatal(EXIT_USAGE, f"the simulators are not part of this installation ({error.name})") from error
    except (ValueError, OSError) as error:
        raise Fatal(EXIT_USAGE, str(error)) from error
    return 0


_Work = Callable[[Callable[[str], None], asyncio.Event], Coroutine[Any, Any, None]]


def _work(given: argparse.Namespace, environment: Mapping[str, str]) -> _Work:
    if given.which == "r247":
        return _r247(given)
    return _pubsub(given) if given.which == "pubsub" else _commercetools(given, environment)


def _r247(given: argparse.Namespace) -> _Work:
    from archsyncd.simulators.commercetools.clock import SystemClock  # noqa: PLC0415 - only here
    from archsyncd.simulators.r247.stand_alone import run  # noqa: PLC0415

    site = site_of(given)
    return lambda tell, stop: run(site, SystemClock(), tell, stop)


def site_of(given: argparse.Namespace) -> Site:
    """What is to be simulated. Raises ValueError, CredentialFault."""
    from archsyncd.simulators.r247 import Auth, Movements, Reflection  # noqa: PLC0415
    from archsyncd.simulators.r247.drop import Form  # noqa: PLC0415
    from archsyncd.simulators.r247.stand_alone import Site  # noqa: PLC0415

    if (given.auth == "none") != (given.credential_file is None):
        raise ValueError("--auth and --credential-file go together")
    return Site(
        host=given.host,
        port=given.port,
        feed=given.feed,
        locations=tuple(given.location) or ("WH1",),
        skus=given.skus,
        changes_per_second=given.changes,
        seed=given.seed,
        faults=tuple(given.fault),
        auth=Auth(given.auth),
        credential="" if given.credential_file is None else read_secret(given.credential_file).reveal(),
        reflection=Reflection(given.reflection),
        movements=Movements(given.movements),
        directory=given.drop,
        file_seconds=given.file_seconds,
        form=Form(given.form),
    )


def _commercetools(given: argparse.Namespace, environment: Mapping[str, str]) -> _Work:
    from archsyncd.simulators.commercetools.clock import SystemClock  # noqa: PLC0415
    from archsyncd.simulators.commercetools.stand_alone import run  # noqa: PLC0415

    project = project_of(given, environment)
    return lambda tell, stop: run(project, SystemClock(), tell, stop)


def project_of(given: argparse.Namespace, environment: Mapping[str, str]) -> Project:
    """What is to be simulated. Raises CredentialFault."""
    from archsyncd.simulators.commercetools.stand_alone import Project  # noqa: PLC0415

    secret = environment.get(SECRET_VARIABLE, OPEN_SECRET)
    if given.credential_file is not None:
        secret = read_secret(given.credential_file).reveal()
    return Project(
        given.host,
        given.port,
        given.project_key,
        given.client_id,
        secret,
        tuple(given.channel) or ("warehouse-1",),
        given.skus,
        given.seed,
        OPEN_SECRET if secret == OPEN_SECRET else "the secret that it was started with",
    )


def _pubsub(given: argparse.Namespace) -> _Work:
    from archsyncd.simulators.commercetools.clock import SystemClock  # noqa: PLC0415
    from archsyncd.simulators.pubsub.stand_alone import run  # noqa: PLC0415

    queue = queue_of(given)
    return lambda tell, stop: run(queue, SystemClock(), tell, stop)


def queue_of(given: argparse.Namespace) -> Queue:
    """What is to be simulated."""
    from archsyncd.simulators.pubsub.stand_alone import Queue  # noqa: PLC0415

    return Queue(given.host, given.port, given.topic, given.subscription)


async def _until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await work(stop)
