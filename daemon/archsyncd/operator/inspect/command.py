"""`archsyncctl inspect`: reads a sample, proposes a profile or tries one, and shows the outcome. Needs no daemon."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any, Final, TextIO

from archsyncd.config.profiles import load_profile
from archsyncd.domain.fatal import EXIT_CONFIGURATION
from archsyncd.domain.times import age
from archsyncd.operator.inspect.proposing import Guess, Proposal, propose, shown_samples
from archsyncd.operator.inspect.reading import Reading, read_sample
from archsyncd.operator.inspect.sampling import look
from archsyncd.operator.inspect.transports import transports_of
from archsyncd.operator.protocol import EXIT_ACT, EXIT_OK, EXIT_USAGE, Refusal
from archsyncd.operator.tables import LEFT, RIGHT, Table, counted, shown
from archsyncd.operator.writing import shown_lines, write_json
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.profile.model import Form
from archsyncd.wire.profile.profile import Profile, read_profile
from archsyncd.wire.profile.times import zone
from archsyncd.wire.r247_values import Unreadable

SAMPLE_LIMIT_BYTES: Final = 32 * 1024 * 1024
UNUSED_SHOWN: Final = 12
_GZIP: Final = b"\x1f\x8b"
FAULTS_SHOWN: Final = 40
# Clocks may be so far apart.
AHEAD_SECONDS: Final = 300.0


def inspect(options: argparse.Namespace, out: TextIO) -> int:
    """Run the verb; 1 where something is missing or was not understood. Raises Refusal."""
    data = _sample(Path(options.sample))
    try:
        answer = _tried(options, data) if options.profile else _proposed(options, data)
    except Unreadable as fault:
        raise Refusal(f"{options.sample}: {fault.reason}.", EXIT_ACT) from None
    if options.json:
        write_json(out, answer)
    else:
        _show(answer, options, out)
    return EXIT_ACT if answer["faults"] or answer["missing"] or not answer["understood"] else EXIT_OK


def _sample(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(SAMPLE_LIMIT_BYTES + 1)
    except OSError as fault:
        raise Refusal(
            f"{path} cannot be read: {os.strerror(fault.errno or 0)}.", EXIT_CONFIGURATION
        ) from None
    if data.startswith(_GZIP):
        raise Refusal(
            f"{path} is compressed: unpack it first. In the directory a name that ends in .gz is unpacked.",
            EXIT_USAGE,
        )
    if len(data) > SAMPLE_LIMIT_BYTES:
        raise Refusal(
            f"{path} has more than {SAMPLE_LIMIT_BYTES // 1024**2} MiB: take a part of it.", EXIT_USAGE
        )
    return data


def _tried(options: argparse.Namespace, data: bytes) -> dict[str, Any]:
    if options.write:
        raise Refusal("--write goes with a proposal; --profile tries one that is there.", EXIT_USAGE)
    try:
        profile = load_profile(Path(options.profile))
    except OSError as fault:
        raise Refusal(
            f"{options.profile} cannot be read: {os.strerror(fault.errno or 0)}.", EXIT_CONFIGURATION
        ) from None
    except ProfileFaults as told:
        raise Refusal(str(told), EXIT_CONFIGURATION) from None
    named = profile.file_name(Path(options.sample).name)
    parts = _attributes(options) | (dict(named.parts) if named else {})
    answer = _answer(options.sample, profile.form, read_sample(profile, data, options.limit, parts))
    answer["transports"] = _transports(profile, Path(options.profile))
    if profile.names:
        answer["name"] = None
        if named is None:
            answer["missing"].append(
                "No pattern of names fits this file's name: in the directory it would be left alone."
            )
        else:
            answer["name"] = {
                "kind": named.rule.kind,
                "number": str(named.number) if named.counted else None,
                "at": named.at,
                "parts": dict(named.parts),
            }
    return answer


def _answer(sample: str, form: str, reading: Reading | None) -> dict[str, Any]:
    reading = reading or Reading()
    return {
        "sample": sample,
        "form": form,
        "records": reading.records,
        "passed_over": reading.passed_over,
        "understood": reading.understood,
        "rejected": reading.rejected,
        "rows": reading.rows,
        "faults": reading.faults,
        "name": None,
        "fields": [],
        "missing": [],
        "warnings": _ahead(reading),
        "unused": [],
        "profile": None,
        "transports": [],
    }


def _ahead(reading: Reading) -> list[str]:
    """Times of figures that are still to come: as a rule they were read in the wrong zone."""
    if reading.ahead_seconds <= AHEAD_SECONDS:
        return []
    told = (
        f"{counted(reading.ahead, 'record')} said that the figures were taken at times still to come, by up to "
        f"{age(reading.ahead_seconds)}: look at the zone (tz) in which times are read. Such figures count as taken when they "
        "are read."
    )
    return [told]


def _attributes(options: argparse.Namespace) -> dict[str, str]:
    """The attributes that the message of the sample came with. Raises Refusal."""
    found = [told.partition("=") for told in options.attribute]
    if any(not name or not sign for name, sign, _ in found):
        raise Refusal("--attribute: NAME=VALUE is needed.", EXIT_USAGE)
    return {name: value for name, _, value in found}


def _transports(profile: Profile, path: Path) -> list[dict[str, Any]]:
    name = re.sub(r"[^A-Za-z0-9_-]", "-", profile.name)[:64].strip("-_") or "site"
    return transports_of(profile, name, f"profiles/{path.name}")


def _proposed(options: argparse.Namespace, data: bytes) -> dict[str, Any]:
    _check_zone(options.tz)
    sample = look(data, Form(options.format) if options.format else None)
    name = Path(options.sample).stem[:64] or "site"
    file = Path(options.sample).name
    proposal = propose(sample, name, options.type or None, options.tz or None, file)
    text = json.dumps(proposal.profile, indent=1, ensure_ascii=False) + "\n"
    profile = _compiled(text, proposal)
    reading = read_sample(profile, data, options.limit, {}) if profile is not None else None
    answer = _answer(options.sample, sample.form.value, reading)
    answer["records"] = answer["records"] or sample.number
    answer["fields"] = [_told(guess) for guess in proposal.guesses]
    answer["missing"], answer["unused"] = proposal.missing, proposal.unused
    answer["profile"] = proposal.profile
    if profile is not None:
        answer["transports"] = _transports(profile, Path(options.write or f"{name}.json"))
    if options.write:
        _write(Path(options.write), text)
    return answer


def _check_zone(name: str) -> None:
    try:
        if name:
            zone(name)
    except ValueError as fault:
        raise Refusal(f"--tz {name}: {fault}.", EXIT_USAGE) from None


def _told(guess: Guess) -> dict[str, Any]:
    told = {"field": guess.name, "path": guess.path, "confidence": guess.says}
    return {**told, "samples": list(guess.samples), "note": guess.note}


def _compiled(text: str, proposal: Proposal) -> Profile | None:
    try:
        return read_profile(text.encode(), "proposal")
    except ProfileFaults as told:
        if proposal.complete:
            proposal.missing += [f"{one.path or 'the profile'}: {one.says}." for one in told.faults]
        return None


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refusal(f"{path} is there already; nothing was written.", EXIT_USAGE) from None
    except OSError as fault:
        raise Refusal(
            f"{path} cannot be written: {os.strerror(fault.errno or 0)}.", EXIT_CONFIGURATION
        ) from None


def _show(answer: dict[str, Any], options: argparse.Namespace, out: TextIO) -> None:
    out.write(_summary(answer) + "\n")
    if answer["name"]:
        name = answer["name"]
        order = (
            f"number {name['number']}" if name["number"] else f"of {name['at']}; a missing one is not noticed"
        )
        out.write(f"Its name makes it a {name['kind']} file, {order}.\n")
    if answer["fields"]:
        out.write("\n")
        columns = [("field", LEFT), ("from", LEFT), ("", LEFT), ("values", LEFT), ("look at", LEFT)]
        rows = [
            [one["field"], one["path"], one["confidence"], shown_samples(one["samples"]), one["note"]]
            for one in answer["fields"]
        ]
        Table(columns, rows).write(out)
    if answer["unused"]:
        rest = len(answer["unused"]) - UNUSED_SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        out.write(f"Nothing is made of {', '.join(map(shown, answer['unused'][:UNUSED_SHOWN]))}{more}.\n")
    _show_records(answer, out)
    _show_faults(answer, out)
    out.writelines(f"\nWarning: {shown(sentence)}\n" for sentence in answer["warnings"])
    out.writelines(f"\n{shown(sentence)}\n" for sentence in answer["missing"])
    if answer["profile"] is not None:
        if options.write:
            out.write(f"\nWritten to {shown(options.write)}. Correct it, then: archsyncctl inspect {shown(options.sample)} "
                      f"--profile {shown(options.write)}\n")  # fmt: skip
        else:
            text = json.dumps(answer["profile"], indent=1, ensure_ascii=False)
            out.write(f"\nThe profile (--write FILE keeps it):\n{shown_lines(text)}\n")
    _show_transports(answer["transports"], out)


def _show_transports(found: list[dict[str, Any]], out: TextIO) -> None:
    """Where the profile can be used, and what would go into the configuration; profiles.md has what each cannot guarantee."""
    if not found:
        return
    out.write("\nIt can be used over these transports:\n" if any(one["usable"] for one in found) else "\n")
    for one in found:
        if one["usable"]:
            out.write(f"\n# {one['transport']}{': ' if one['says'] else ''}{shown(one['says'])}\n")
            out.write(shown_lines(one["config"]))
    rest = [one for one in found if not one["usable"]]
    out.writelines(f"\nNot over {one['transport']}: {shown(one['says'])}.\n" for one in rest)


def _summary(answer: dict[str, Any]) -> str:
    told = f"{shown(answer['sample'])}: {answer['form']}, {counted(answer['records'], 'record')}"
    told += f", {answer['understood']:,} understood"
    if answer["rejected"]:
        told += f", {answer['rejected']:,} set aside"
    return told + (f", {answer['passed_over']:,} passed over" if answer["passed_over"] else "")


def _show_records(answer: dict[str, Any], out: TextIO) -> None:
    if answer["rows"]:
        out.write("\nAs r247/1 has it:\n")
        out.writelines(
            f"{row['line']:>6}  {shown(json.dumps(row['record'], ensure_ascii=False))}\n"
            for row in answer["rows"]
        )


def _show_faults(answer: dict[str, Any], out: TextIO) -> None:
    if not answer["faults"]:
        return
    out.write("\nNot understood:\n")
    columns = [("line", RIGHT), ("code", LEFT), ("why", LEFT), ("at", LEFT), ("it is", LEFT)]
    shown_faults = answer["faults"][:FAULTS_SHOWN]
    Table(
        columns, [[one["line"], one["code"], one["says"], one["path"], one["value"]] for one in shown_faults]
    ).write(out)
    if len(answer["faults"]) > FAULTS_SHOWN:
        out.write(f"and {len(answer['faults']) - FAULTS_SHOWN:,} more; --json tells them\n")
