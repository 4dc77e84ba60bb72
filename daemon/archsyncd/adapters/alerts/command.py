"""A message to a program of the site's own: one process for each, no shell, JSON on its input. Knows no retries.

The process stands in a group of its own, which ends with it: nothing that it began outlives its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Final

from archsyncd.domain.alert_texts import plain
from archsyncd.domain.alerting import Message
from archsyncd.engine.alerts import WayFault

SECONDS: Final = 20.0
OUTPUT_LIMIT_BYTES: Final = 64 * 1024
_SHOWN: Final = 120
# What the service got from systemd, credentials' places included, is none of the program's business.
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


class CommandWay:
    """Starts one program."""

    def __init__(self, program: Path, seconds: float = SECONDS) -> None:
        """`seconds`: from its start to its end."""
        self._program = program
        self._seconds = seconds

    @property
    def target(self) -> str:
        """The program's path."""
        return str(self._program)

    async def send(self, number: str, message: Message) -> str:
        """Run it to its end; what it said. Raises WayFault."""
        told = json.dumps({"id": number, **plain(message)}, ensure_ascii=False).encode("utf-8", "replace")
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
                cwd="/",
                env=_ENVIRONMENT,
            )
        except OSError as error:
            raise WayFault(f"cannot be started: {error.strerror}") from None
        try:
            async with asyncio.timeout(self._seconds):
                output = await _talk(process, told + b"\n")
                status = await process.wait()
        except TimeoutError:
            raise WayFault(f"did not end within {self._seconds:g} s and was ended") from None
        finally:
            await _end(process)
        if status != 0:
            ended = f"ended with status {status}" if status > 0 else f"ended by signal {-status}"
            raise WayFault(f"{ended}{_excerpt(output)}")
        return f"ended with status 0{_excerpt(output)}"


async def _talk(process: asyncio.subprocess.Process, told: bytes) -> bytes:
    """Give it its input and read what it says. Raises WayFault when that is too much."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # it need not read
        process.stdin.write(told)
        await process.stdin.drain()
    process.stdin.close()
    output = b""
    while more := await process.stdout.read(OUTPUT_LIMIT_BYTES):
        output += more
        if len(output) > OUTPUT_LIMIT_BYTES:
            raise WayFault(f"said more than {OUTPUT_LIMIT_BYTES // 1024} KiB and was ended")
    return output


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole group; its members may have outlived the one that was started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _excerpt(output: bytes) -> str:
    text = output[:_SHOWN].decode("utf-8", "replace").strip()
    clean = "".join(each if each.isprintable() else " " for each in text)
    return f": {clean}" if clean else ""
