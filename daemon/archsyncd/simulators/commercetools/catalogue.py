"""The products of the project, as far as the question "does this SKU exist" goes."""

from collections.abc import Iterable
from typing import NamedTuple

from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog
from archsyncd.simulators.commercetools.records import PERSON, Document, Surroundings
from archsyncd.simulators.commercetools.resources import AUDIT
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


class _Product(NamedTuple):
    """What is kept of a product; its document is built when it is asked for, as there may be a million."""

    product_id: str
    created_at: str
    skus: tuple[str | None, ...]
    published: bool = True

    def document(self) -> Document:
        """Return the product as the API shows it (Product)."""
        variants = [
            {"id": number} if sku is None else {"id": number, "sku": sku}
            for number, sku in enumerate(self.skus, 1)
        ]
        data = {"masterVariant": variants[0], "variants": variants[1:]}
        return {
            "id": self.product_id,
            "version": 1,
            "createdAt": self.created_at,
            "lastModifiedAt": self.created_at,
            "createdBy": PERSON.document(),
            "lastModifiedBy": PERSON.document(),
            "masterData": {
                "current": data,
                "staged": data,
                "published": self.published,
                "hasStagedChanges": False,
            },
        }


class Catalogue:
    """Products by the SKUs of their variants."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._shelf: Shelf[_Product] = Shelf(lambda product: product.created_at)
        self._by_sku: dict[str, _Product] = {}
        self.catalog = Catalog(
            self._shelf,
            KNOWN,
            _Product.document,
            {SKU_PATHS: lambda sku: [self._by_sku[sku]] if sku in self._by_sku else []},
        )

    def __contains__(self, sku: str) -> bool:
        return sku in self._by_sku

    def add(self, skus: Iterable[str | None], *, published: bool = True) -> str:
        """Create one product whose variants carry these SKUs (None: a variant without one), the first being the master.

        Raises ValueError when a SKU is taken or given twice.
        """
        product = _Product(self._around.new_id(), stamp(self._around.clock.now()), tuple(skus), published)
        given = [sku for sku in product.skus if sku is not None]
        if len(set(given)) != len(given) or any(sku in self._by_sku for sku in given):
            raise ValueError(f"a SKU belongs to one variant only: {product.skus}")
        self._store(product)
        return product.product_id

    def remove(self, sku: str) -> None:
        """Take the variant of this SKU out; the last one takes its product with it. Raises KeyError."""
        product = self._by_sku.pop(sku)
        rest = tuple(other for other in product.skus if other != sku)
        if rest:
            self._store(product._replace(skus=rest))
        else:
            self._shelf.remove(product.product_id)

    def _store(self, product: _Product) -> None:
        self._shelf.add(product.product_id, product)
        for sku in product.skus:
            if sku is not None:
                self._by_sku[sku] = product
