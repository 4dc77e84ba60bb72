"""`archsyncctl probe`: settles on a sandbox project what only a live one can tell. Needs no daemon."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from archsyncd import config
from archsyncd.adapters.clock import SystemChance, SystemClock
from archsyncd.checking import Person
from archsyncd.domain.fatal import EXIT_CONFIGURATION, Fatal
from archsyncd.operator.protocol import EXIT_ACT, EXIT_INTERRUPTED, Refusal
from archsyncd.operator.tables import LEFT, Table, shown
from archsyncd.probing import ProbeReport, Stopped, probe, sandbox


def run_probe(
    path: str, named: str, credentials: str, tell: Callable[[str], None]
) -> tuple[dict[str, Any], str]:
    """The answer for programs and for people. Raises Refusal where nothing could be asked."""
    try:
        settings = config.load(Path(path), None, {}, require_credentials=False)
        sandbox(settings, named)
        person = Person(SystemClock(), socket.gethostname(), Path(credentials), SystemChance())

        async def stoppable() -> ProbeReport:
            task = asyncio.current_task()
            assert task is not None
            loop = asyncio.get_running_loop()
            stopping = False

            def stop() -> None:
                # What was made is taken away before this ends; a second signal changes nothing about that.
                nonlocal stopping
                if not stopping:
                    stopping = True
                    task.cancel()

            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.add_signal_handler(number, stop)
            return await probe(settings, person, named, tell)

        report = asyncio.run(stoppable())
    except (config.ConfigurationFaults, config.CredentialFault) as fault:
        raise Refusal(str(fault), EXIT_CONFIGURATION) from fault
    except Fatal as fatal:
        raise Refusal(fatal.sentence, fatal.code) from fatal
    except Stopped as stopped:
        raise refusal_of(stopped.left) from None
    except asyncio.CancelledError:
        raise Refusal("The probe was stopped before it made anything.", EXIT_INTERRUPTED) from None
    return told(report), text_of(report)


def refusal_of(left: Sequence[str]) -> Refusal:
    """How a probe ends that was stopped, after this was left."""
    if left:
        return Refusal(f"The probe was stopped. {_to_take_away(left)}", EXIT_ACT)
    return Refusal("The probe was stopped; what it had made was taken away.", EXIT_INTERRUPTED)


def _to_take_away(left: Sequence[str]) -> str:
    return f"Not taken away, do so by hand: {'; '.join(left)}."


def told(report: ProbeReport) -> dict[str, Any]:
    """The report as plain values."""
    answers = [
        {"question": each.question, "answer": each.answer, "alarm": each.alarm, "says": each.says}
        for each in report.replies
    ]
    answers += [
        {"question": question, "answer": None, "alarm": False, "says": f"not settled: {reason}"}
        for question, reason in report.unsettled
    ]
    return {
        "done": report.well,
        "project": report.project,
        "prefix": report.prefix,
        "answers": answers,
        "left": list(report.left),
        "configuration": list(report.lines),
        "says": _verdict(report),
    }


def _verdict(report: ProbeReport) -> str:
    alarms = [reply.question for reply in report.replies if reply.alarm]
    sentences = []
    if alarms:
        sentences.append(f"Act before you go live: {', '.join(alarms)}.")
    if report.unsettled:
        sentences.append(f"Not settled: {', '.join(name for name, _ in report.unsettled)}.")
    if report.left:
        sentences.append(_to_take_away(report.left))
    return " ".join(sentences) or "Everything is settled, and nothing was left behind."


def text_of(report: ProbeReport) -> str:
    """The report as lines for people."""
    rows = [[row["question"], row["answer"], ""] for row in told(report)["answers"]]
    lines = Table([("question", LEFT), ("answer", LEFT), ("", LEFT)], rows).lines()
    lines.append("")
    lines += [f"{shown(row['question'])}: {shown(row['says'])}" for row in told(report)["answers"]]
    if report.lines:
        lines += ["", "What follows for config.toml:", *(f"    {line}" for line in report.lines)]
    return "\n".join([*lines, "", _verdict(report)])
