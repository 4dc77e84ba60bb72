"""The papers of a package: who made its parts under which licence, and the bill of materials (CycloneDX 1.6)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageMetadata, PathDistribution
from os import environ
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from archsyncd import __version__

# The licences of those whose metadata name none in SPDX terms.
SPDX = {
    "Jinja2": "BSD-3-Clause",
    "aiohappyeyeballs": "PSF-2.0",
    "aiosignal": "Apache-2.0",
    "aiohttp-sse": "Apache-2.0",
    "aiosqlite": "MIT",
    "defusedxml": "PSF-2.0",
    "frozenlist": "Apache-2.0",
    "propcache": "Apache-2.0",
    "rich": "MIT",
    "uvloop": "MIT OR Apache-2.0",
    "yarl": "Apache-2.0",
}
HEAD = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: archsyncd
Comment: the libraries below are unchanged wheels of their makers, pinned by hash; their licence texts stand beside them.

Files: *
Copyright: 2026 archsyncd maintainers
License: archsyncd
 All rights reserved by the archsyncd maintainers, except for the parts named below.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One library that the package carries. `hashes`: SHA-256 of its wheels, one a CPython where they differ."""

    name: str
    version: str
    licence: str
    authors: str
    places: tuple[str, ...]
    hashes: tuple[str, ...]


def components(site: Path, hashes: Mapping[str, Sequence[str]]) -> list[Part]:
    """The libraries in a site directory, by name. Raises SystemExit for one whose licence nobody stated."""
    parts: list[Part] = []
    for info in sorted(site.glob("*.dist-info")):
        metadata = PathDistribution(info).metadata
        name = metadata["Name"]
        licence = _first(metadata, "License-Expression") or SPDX.get(name)
        if licence is None:
            raise SystemExit(f"packaging/deb/papers.py: state the licence of {name}")
        authors = _first(metadata, "Author", "Author-email", "Maintainer-email")
        file_name = info.name.split("-")[0]
        texts = tuple(
            str(path.relative_to(site.parents[2]))
            for path in sorted(info.rglob("*"))
            if path.is_file() and path.name != "METADATA"
        )
        sums = tuple(sorted(hashes.get(file_name, ())))
        parts.append(Part(name, metadata["Version"], licence, authors or f"the {name} authors", texts, sums))
    return parts


def _first(metadata: PackageMetadata, *names: str) -> str:
    """The first field of these that is stated."""
    return next((value for name in names for value in metadata.get_all(name) or ()), "")


def copyright_text(parts: Sequence[Part]) -> str:
    """The machine-readable copyright file."""
    stanzas = [HEAD]
    licences: dict[str, list[str]] = {}
    for part in parts:
        module = part.name.replace("-", "_")
        short = part.licence.replace(" ", "-")
        licences.setdefault(short, []).extend(part.places)
        stanzas.append(
            f"Files: usr/lib/archsyncd/{module}* usr/lib/archsyncd/{module}-*\n"
            f"Copyright: {part.authors}\nLicense: {short}\n"
        )
    for short, places in sorted(licences.items()):
        listed = "\n".join(f"  /{place}" for place in sorted(set(places))) or "  (in the metadata)"
        stanzas.append(f"License: {short}\n The texts as their makers give them:\n .\n{listed}\n")
    return "\n".join(stanzas)


def bill_of_materials(parts: Sequence[Part]) -> str:
    """What the package is made of, as CycloneDX JSON; the same parts give the same bytes."""
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"pkg:deb/archsyncd@{__version__}"))
    bom.metadata.timestamp = datetime.fromtimestamp(int(environ["SOURCE_DATE_EPOCH"]), UTC)
    product = Component(
        name="archsyncd",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="archsyncd",
        purl=PackageURL("deb", name="archsyncd", version=__version__),
    )
    bom.metadata.component = product
    made = [_library(part) for part in parts]
    bom.components.update(made)
    bom.register_dependency(product, made)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _library(part: Part) -> Component:
    """One library; with a wheel a CPython, each has its hash in a property, since a component is one file."""
    many = len(part.hashes) > 1
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{part.name}@{part.version}",
        purl=PackageURL("pypi", name=part.name.lower(), version=part.version),
        licenses=[LicenseExpression(part.licence)],
        hashes=[] if many else [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in part.hashes],
        properties=[Property(name="archsyncd:wheel:sha256", value=each) for each in part.hashes]
        if many
        else [],
    )
