"""The products of the project, as far as the question "does this SKU exist" goes."""

from collections.abc import Iterable

from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog
from archsyncd.simulators.commercetools.records import PERSON, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT, created
from archsyncd.simulators.commercetools.shelf import Shelf

VARIANT: FieldKinds = {"id": Kind.NUMBER, "sku": Kind.TEXT, "key": Kind.TEXT}
DATA: FieldKinds = {"masterVariant": VARIANT, "variants": VARIANT}
KNOWN: FieldKinds = {
    **AUDIT,
    "key": Kind.TEXT,
    "masterData": {"published": Kind.FLAG, "current": DATA, "staged": DATA},
}
SKU_PATHS = frozenset(
    {("masterData", "current", "masterVariant", "sku"), ("masterData", "current", "variants", "sku")}
)


class Catalogue:
    """Products by the SKUs of their variants."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._shelf: Shelf[Document] = Shelf(lambda document: str(document["createdAt"]))
        self._by_sku: dict[str, Document] = {}
        self.catalog = Catalog(
            self._shelf,
            KNOWN,
            lambda document: document,
            {SKU_PATHS: lambda sku: [self._by_sku[sku]] if sku in self._by_sku else []},
        )

    def __contains__(self, sku: str) -> bool:
        return sku in self._by_sku

    def add(self, skus: Iterable[str]) -> str:
        """Create one published product whose variants carry these SKUs, the first being the master."""
        document = created(self._around, PERSON)
        self._store(document, list(skus))
        return str(document["id"])

    def remove(self, sku: str) -> None:
        """Take the variant of this SKU out; the last one takes its product with it. Raises KeyError."""
        document = self._by_sku.pop(sku)
        current = document["masterData"]["current"]
        rest = [variant["sku"] for variant in (current["masterVariant"], *current["variants"])]
        rest.remove(sku)
        if rest:
            self._store({name: value for name, value in document.items() if name != "masterData"}, rest)
        else:
            self._shelf.remove(document["id"])

    def _store(self, document: Document, skus: list[str]) -> None:
        if len(set(skus)) != len(skus) or any(
            self._by_sku.get(sku, document)["id"] != document["id"] for sku in skus
        ):
            raise ValueError(f"a SKU belongs to one variant only: {skus}")
        variants = [{"id": number, "sku": sku} for number, sku in enumerate(skus, 1)]
        data = {"masterVariant": variants[0], "variants": variants[1:]}
        master = {"current": data, "staged": data, "published": True, "hasStagedChanges": False}
        document = {**document, "masterData": master}
        self._shelf.add(document["id"], document)
        for sku in skus:
            self._by_sku[sku] = document
