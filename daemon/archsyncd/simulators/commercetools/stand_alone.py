"""A simulated project for somebody who tries things out: channels, products, what to type. Knows no command line."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archsyncd.simulators.commercetools.clock import Clock
from archsyncd.simulators.commercetools.config import ApiClient, SimulatorConfig
from archsyncd.simulators.commercetools.http import serve
from archsyncd.simulators.commercetools.simulator import CommercetoolsSimulator


@dataclass(frozen=True, slots=True)
class Project:
    """What is simulated. `channels`: keys of supply channels; `skus`: so many products are made.

    `secret_told`: what people are told of the secret.
    """

    host: str
    port: int
    key: str
    client_id: str
    secret: str
    channels: Sequence[str] = ("warehouse-1",)
    skus: int = 20
    seed: int = 1
    secret_told: str = "the secret that it was started with"  # noqa: S105 - a sentence


async def run(project: Project, clock: Clock, tell: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop`. Raises OSError for an address that cannot be had."""
    config = SimulatorConfig(project_key=project.key, clients=(ApiClient(project.client_id, project.secret),))
    simulator = CommercetoolsSimulator(config, clock, random.Random(project.seed))
    for key in project.channels:
        simulator.add_channel(key)
    simulator.add_products([f"SKU-{number:05d}" for number in range(1, project.skus + 1)])
    async with serve(simulator, project.host, project.port) as url:
        tell("\n".join(page(url, project)))
        await stop.wait()


def page(url: str, project: Project) -> list[str]:
    """What to know and to type; the address stands alone on the first line."""
    first, last = (f"SKU-{number:05d}" for number in (1, project.skus))
    fault = '{"kind":"throttled","count":5}'
    order = f'{{"lines":[{{"sku":"{first}","quantity":2,"channel":"{project.channels[0]}"}}]}}'
    return [
        url,
        "",
        f"A simulated commercetools project. Supply channels: {', '.join(project.channels)}. Ctrl-C ends it.",
        f"Products: {first} to {last}.",
        "",
        "  [commercetools]",
        f'  project_key = "{project.key}"',
        f'  client_id = "{project.client_id}"',
        f'  api_url = "{url}"',
        f'  auth_url = "{url}"',
        "",
        f"The credential commercetools-client-secret holds {project.secret_told}.",
        "",
        f"  curl -s {url}/_simulator/summary",
        f"  curl -s {url}/_simulator/entries                   # what is for sale",
        f'  curl -s -d \'{{"skus":["TEE-1"]}}\' {url}/_simulator/products',
        f"  curl -s -d '{order}' {url}/_simulator/orders",
        f"  curl -s -d '{fault}' {url}/_simulator/faults",
        f"  curl -s -X DELETE {url}/_simulator/faults",
    ]
