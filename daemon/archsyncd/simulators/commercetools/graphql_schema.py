"""The part of the platform's GraphQL schema that is simulated: same names and types, fewer of them."""

SDL = """
scalar DateTime
scalar Long
scalar Json

type Query {
  products(where: String, sort: [String!], limit: Int, offset: Int, skus: [String!]): ProductQueryResult!
  inventoryEntry(id: String, key: String): InventoryEntry
  inventoryEntries(where: String, sort: [String!], limit: Int, offset: Int): InventoryEntryQueryResult!
}

type Mutation {
  createInventoryEntry(draft: InventoryEntryDraft!): InventoryEntry
  updateInventoryEntry(
    version: Long!, actions: [InventoryEntryUpdateAction!]!, id: String, key: String
  ): InventoryEntry
  deleteInventoryEntry(version: Long!, id: String, key: String): InventoryEntry
}

interface Versioned {
  id: String!
  version: Long!
  createdAt: DateTime!
  lastModifiedAt: DateTime!
  createdBy: Initiator
  lastModifiedBy: Initiator
}

type Initiator { clientId: String externalUserId: String }
type Reference { typeId: String! id: String! }

type ProductQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [Product!]! }
type Product implements Versioned {
  id: String!
  key: String
  version: Long!
  createdAt: DateTime!
  lastModifiedAt: DateTime!
  createdBy: Initiator
  lastModifiedBy: Initiator
  skus: [String!]!
  masterData: ProductCatalogData!
}
type ProductCatalogData { current: ProductData staged: ProductData published: Boolean! hasStagedChanges: Boolean! }
type ProductData {
  masterVariant: ProductVariant!
  variants(skus: [String!]): [ProductVariant!]!
  allVariants(skus: [String!]): [ProductVariant!]!
  skus: [String!]!
}
type ProductVariant { id: Int! key: String sku: String }

type InventoryEntryQueryResult { offset: Int! count: Int! total: Long! exists: Boolean! results: [InventoryEntry!]! }
type InventoryEntry implements Versioned {
  id: String!
  version: Long!
  createdAt: DateTime!
  lastModifiedAt: DateTime!
  createdBy: Initiator
  lastModifiedBy: Initiator
  sku: String!
  key: String
  quantityOnStock: Long!
  availableQuantity: Long!
  restockableInDays: Int
  expectedDelivery: DateTime
  minCartQuantity: Long
  maxCartQuantity: Long
  supplyChannel: Channel
  supplyChannelRef: Reference
  custom: CustomFieldsType
}
type Channel { id: String! version: Long! key: String! roles: [ChannelRole!]! }
enum ChannelRole { InventorySupply ProductDistribution OrderExport OrderImport Primary }
type CustomFieldsType {
  typeRef: Reference!
  customFieldsRaw(includeNames: [String!], excludeNames: [String!]): [RawCustomField!]
}
type RawCustomField { name: String! value: Json! }

input ResourceIdentifierInput { typeId: String id: String key: String }
input CustomFieldInput { name: String! value: String! }
input CustomFieldsDraft { typeId: String typeKey: String type: ResourceIdentifierInput fields: [CustomFieldInput!] }
input InventoryEntryDraft {
  sku: String!
  key: String
  quantityOnStock: Long!
  restockableInDays: Int
  expectedDelivery: DateTime
  supplyChannel: ResourceIdentifierInput
  custom: CustomFieldsDraft
  minCartQuantity: Long
  maxCartQuantity: Long
}
input InventoryEntryUpdateAction {
  addQuantity: AddInventoryEntryQuantity
  changeQuantity: ChangeInventoryEntryQuantity
  removeQuantity: RemoveInventoryEntryQuantity
  setKey: SetInventoryKey
  setRestockableInDays: SetInventoryEntryRestockableInDays
  setExpectedDelivery: SetInventoryEntryExpectedDelivery
  setSupplyChannel: SetInventoryEntrySupplyChannel
  setCustomType: SetInventoryEntryCustomType
  setCustomField: SetInventoryEntryCustomField
  setInventoryLimits: SetInventoryLimits
}
input AddInventoryEntryQuantity { quantity: Long! }
input ChangeInventoryEntryQuantity { quantity: Long! }
input RemoveInventoryEntryQuantity { quantity: Long! }
input SetInventoryKey { key: String }
input SetInventoryEntryRestockableInDays { restockableInDays: Int }
input SetInventoryEntryExpectedDelivery { expectedDelivery: DateTime }
input SetInventoryEntrySupplyChannel { supplyChannel: ResourceIdentifierInput }
input SetInventoryEntryCustomType {
  typeId: String typeKey: String type: ResourceIdentifierInput fields: [CustomFieldInput!]
}
input SetInventoryEntryCustomField { name: String! value: String }
input SetInventoryLimits { minCartQuantity: Int maxCartQuantity: Int }
"""
