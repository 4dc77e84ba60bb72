"""The simulated Pub/Sub on a socket: its REST interface as far as a subscriber and a publisher need it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from archsyncd.simulators.pubsub.broker import Broker, Message, Subscription

BODY_LIMIT_BYTES = 16 * 1024 * 1024


def application(broker: Broker) -> web.Application:
    """Build the aiohttp application."""

    async def respond(request: web.Request) -> web.StreamResponse:
        path, _, verb = request.path.removeprefix("/v1/").partition(":")
        if broker.tokens is not None and request.headers.get("Authorization", "") not in broker.tokens:
            return _error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        body = json.loads(await request.read() or b"{}")
        if verb == "publish":
            ids = [
                broker.publish(path, one.get("data", ""), one.get("attributes", {}))
                for one in body["messages"]
            ]
            return web.json_response({"messageIds": ids})
        if request.method == "PUT" and "/subscriptions/" in path:
            broker.subscribe(path, body["topic"])
        elif request.method == "PUT":
            return web.json_response({"name": path})
        subscription = broker.subscriptions.get(path)
        if subscription is None:
            return _error(404, "NOT_FOUND", f"Resource not found (resource={path.rpartition('/')[2]}).")
        return await _answer(broker, path, subscription, verb, body)

    app = web.Application(client_max_size=BODY_LIMIT_BYTES)
    app.router.add_route("*", "/{path:.*}", respond)
    return app


async def _answer(
    broker: Broker, path: str, subscription: Subscription, verb: str, body: dict[str, Any]
) -> web.StreamResponse:
    switches = subscription.switches
    if switches.slow_seconds:
        await broker.clock.sleep(switches.slow_seconds)
    if verb in switches.forbidden:
        return _error(403, "PERMISSION_DENIED", "User not authorized to perform this action.")
    if waiting := switches.refuse.get(verb):
        status, after = waiting.pop(0)
        name = "RESOURCE_EXHAUSTED" if status == 429 else "UNAVAILABLE"  # noqa: PLR2004 - HTTP's own number
        return _error(status, name, "The service was unable to fulfill your request.", after)
    if verb == "pull":
        given = await subscription.pull(int(body["maxMessages"]), broker.pull_seconds)
        return web.json_response(
            {"receivedMessages": [_told(subscription, *one) for one in given]} if given else {}
        )
    if verb == "acknowledge":
        subscription.acknowledge(body["ackIds"])
    elif verb == "modifyAckDeadline":
        subscription.put_off(body["ackIds"], float(body["ackDeadlineSeconds"]))
    elif verb == "testIamPermissions":
        wanted = body["permissions"]
        allowed = [] if "pull" in switches.forbidden else wanted
        return web.json_response({"permissions": allowed} if allowed else {})
    elif not verb:
        return web.json_response(_described(path, subscription))
    return web.json_response({})


def _told(subscription: Subscription, ack_id: str, message: Message) -> dict[str, Any]:
    published = datetime.fromtimestamp(message.published, UTC).isoformat().replace("+00:00", "Z")
    told: dict[str, Any] = {
        "ackId": ack_id,
        "message": {
            "data": message.data,
            "attributes": message.attributes,
            "messageId": message.id,
            "publishTime": published,
        },
    }
    return told if subscription.attempts is None else told | {"deliveryAttempt": message.attempts}


def _described(path: str, subscription: Subscription) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": path,
        "topic": subscription.topic,
        "pushConfig": {},
        "ackDeadlineSeconds": int(subscription.deadline_seconds),
    }
    if subscription.attempts is not None:
        dead = {"deadLetterTopic": f"{subscription.topic}-dead", "maxDeliveryAttempts": subscription.attempts}
        told["deadLetterPolicy"] = dead
    return told


def _error(status: int, name: str, message: str, after: str | None = None) -> web.Response:
    body = {"error": {"code": status, "message": message, "status": name}}
    return web.json_response(body, status=status, headers={} if after is None else {"Retry-After": after})


@asynccontextmanager
async def serve(broker: Broker, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Run it on a socket while the block lasts; yields the base address."""
    runner = web.AppRunner(
        application(broker), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
    )
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        await runner.cleanup()
