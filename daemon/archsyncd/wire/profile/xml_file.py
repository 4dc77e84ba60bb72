"""XML to elements, with nothing in it that could harm: no DTD, no entity, no inclusion, within limits. Knows no field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder  # building only: defusedxml parses

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from archsyncd.wire.r247_values import Unreadable

XML_LIMIT_BYTES: Final = 32 * 1024 * 1024
XML_DEPTH_LIMIT: Final = 64
XML_ELEMENTS_LIMIT: Final = 2_000_000
ATTRIBUTES_LIMIT: Final = 256
_XINCLUDE: Final = "{http://www.w3.org/2001/XInclude}"


class _Bounded:
    """Builds the tree while the parser reads, and stops it at the first limit."""

    def __init__(self, limit_elements: int) -> None:
        self._limit_elements = limit_elements
        self._tree = TreeBuilder()
        self._depth = 0
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > XML_DEPTH_LIMIT:
            raise Unreadable(f"elements are nested deeper than {XML_DEPTH_LIMIT}")
        if self._elements > self._limit_elements:
            raise Unreadable(f"more than {self._limit_elements} elements")
        if len(attributes) > ATTRIBUTES_LIMIT:
            raise Unreadable(f"an element has more than {ATTRIBUTES_LIMIT} attributes")
        if tag.startswith(_XINCLUDE):
            raise Unreadable("the document asks for another one to be included, which is not done")
        self._tree.start(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._tree.end(tag)

    def data(self, text: str) -> None:
        self._tree.data(text)

    def close(self) -> Element[Any]:
        return self._tree.close()


def parse_xml(
    pieces: Iterable[bytes], limit_bytes: int = XML_LIMIT_BYTES, limit_elements: int = XML_ELEMENTS_LIMIT
) -> Element[Any]:
    """Read a document; what is given back is a nameless element around its root. Raises Unreadable."""
    parser = DefusedXMLParser(target=_Bounded(limit_elements), forbid_dtd=True)
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > limit_bytes:
                raise Unreadable(f"an XML document of more than {limit_bytes} bytes")
            parser.feed(piece)
        root = parser.close()
    except DefusedXmlException:
        raise Unreadable("the XML declares a document type or an entity, which is not accepted") from None
    except ParseError as fault:
        raise Unreadable(f"the document is no XML: {_plain(fault)}") from None
    except (ValueError, LookupError):
        raise Unreadable("the XML is in an encoding that is not known here") from None
    top: Element[Any] = Element("")
    top.append(root)
    return top


def _plain(fault: ParseError) -> str:
    """Say where the parser stopped; its own words quote nothing but names."""
    line, column = fault.position
    return f"line {line}, column {column + 1}"
