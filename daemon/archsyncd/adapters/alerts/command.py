"""A message to a program of the site's own: one process for each, no shell, JSON on its input. Knows no retries.

The process stands in a group of its own, which ends with it: nothing that it began outlives its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Self

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
        with _piped(told + b"\n") as pipes:
            process = await self._start(pipes)
            try:
                async with asyncio.timeout(self._seconds):
                    await pipes.until(process.wait())
            except TimeoutError:
                raise WayFault(f"did not end within {self._seconds:g} s and was ended") from None
            finally:
                await _end(process)
            output = pipes.read()
        status = process.returncode or 0
        if status != 0:
            ended = f"ended with status {status}" if status > 0 else f"ended by signal {-status}"
            raise WayFault(f"{ended}{_excerpt(output)}")
        return f"ended with status 0{_excerpt(output)}"

    async def _start(self, pipes: _Pipes) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                self._program,
                stdin=pipes.input,
                stdout=pipes.output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
                cwd="/",
                env=_ENVIRONMENT,
            )
        except OSError as error:
            raise WayFault(f"cannot be started: {error.strerror}") from None


def _piped(told: bytes) -> _Pipes:
    try:
        return _Pipes(told)
    except OSError as error:
        raise WayFault(f"cannot be started: {error.strerror}") from None


class _Pipes:
    """What the program reads and where it writes.

    Pipes of our own: with those of asyncio its end would be seen only when everybody who has got them has closed them, and a
    program may leave somebody behind.
    """

    def __init__(self, told: bytes) -> None:
        self.input, feed = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # A pipe holds more than any message.
            os.write(feed, told)
        finally:
            os.close(feed)
        os.set_blocking(self.input, True)
        try:
            self._source, self.output = os.pipe2(os.O_CLOEXEC)
        except OSError:
            os.close(self.input)
            raise
        os.set_blocking(self._source, False)
        self._said = b""
        self._full = asyncio.Event()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._source, self.read)
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.get_running_loop().remove_reader(self._source)
        for handle in (self.input, self.output, self._source):
            os.close(handle)

    def read(self) -> bytes:
        """Take what was said by now; all of it so far."""
        with contextlib.suppress(BlockingIOError):
            self._said += os.read(self._source, OUTPUT_LIMIT_BYTES)
        if len(self._said) > OUTPUT_LIMIT_BYTES:
            asyncio.get_running_loop().remove_reader(self._source)
            self._full.set()
        return self._said

    async def until(self, end: Coroutine[Any, Any, int]) -> None:
        """Wait for the program's end. Raises WayFault when it says too much before."""
        tasks = {asyncio.ensure_future(end), asyncio.ensure_future(self._full.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._full.is_set():
            raise WayFault(f"said more than {OUTPUT_LIMIT_BYTES // 1024} KiB and was ended")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole group; its members may have outlived the one that was started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _excerpt(output: bytes) -> str:
    text = output[:_SHOWN].decode("utf-8", "replace").strip()
    clean = "".join(each if each.isprintable() else " " for each in text)
    return f": {clean}" if clean else ""
