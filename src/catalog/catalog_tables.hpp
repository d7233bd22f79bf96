// Our own catalog tables: which they are in this database, and how their rows are read.
// Private to the room.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

enum class CatalogTable {
    Shard,
    Keyspace,
    MapEntry,
    Pin,
    Distribution,
    ShippedFunction,
    GhostRange,
    MoveRange,
    Gate,
    ShippedExtension,
    ShippedType,
    ShippedCollation,
    ShippedConfiguration,
    ShippedDictionary,
    TableStatistics
};

// Tells which of our tables a relation is; false for any other relation.
bool identify_catalog_table(Oid relid, CatalogTable *table);

// Column numbers, as in sql/shardwise--0.1.sql.
namespace column
{
constexpr AttrNumber shard_id = 1, shard_name = 2, shard_weight = 3, shard_is_local = 4;
constexpr AttrNumber keyspace_id = 1, keyspace_strategy = 2, keyspace_key_types = 3,
                     keyspace_key_collations = 4, keyspace_virtual_nodes = 5,
                     keyspace_default_shard = 6, keyspace_map_version = 7, keyspace_moved_by = 8;
constexpr AttrNumber entry_keyspace = 1, entry_position = 2, entry_lower_hash = 3,
                     entry_lower_key = 4, entry_shard = 5;
constexpr AttrNumber pin_keyspace = 1, pin_key = 2, pin_shard = 3;
constexpr AttrNumber distribution_relation = 1, distribution_keyspace = 2,
                     distribution_key_columns = 3, distribution_restored = 4;
constexpr AttrNumber ghost_keyspace = 1, ghost_shard = 2, ghost_lower_hash = 3,
                     ghost_upper_hash = 4, ghost_lower_key = 5, ghost_upper_key = 6,
                     ghost_pin_key = 7;
constexpr AttrNumber range_ordinal = 2, range_kind = 3, range_lower_hash = 4, range_upper_hash = 5,
                     range_lower_key = 6, range_upper_key = 7, range_pin_key = 8;
constexpr AttrNumber gate_move = 2;
constexpr AttrNumber shipped_object = 1; // of each of the tables of such objects
constexpr AttrNumber statistics_rows = 2, statistics_pages = 3;
} // namespace column

// Takes the snapshot that our tables are read with: a fresh one, like the system's for its own
// catalogs. The transaction's would miss rows that this command's caller has written and, in
// REPEATABLE READ, keep an outdated map in the cache when the transaction is long over.
Snapshot take_catalog_snapshot();
void release_catalog_snapshot(Snapshot snapshot);

// A scan of one table, by equality on the first column of its primary key or over all rows.
struct CatalogScan {
    Relation rel;
    struct SysScanDescData *scan;
};

CatalogScan scan_all_rows(CatalogTable table, Snapshot snapshot);
CatalogScan scan_rows_by_oid(CatalogTable table, Snapshot snapshot, Oid value);
CatalogScan scan_rows_by_number(CatalogTable table, Snapshot snapshot, int32 value);
HeapTuple next_row(CatalogScan *scan);
void end_scan(CatalogScan *scan);

// Reads a column; the value lives as long as the row.
Datum get_column(const CatalogScan *scan, HeapTuple row, AttrNumber column, bool *isnull);

// Reads a column that is declared NOT NULL.
Datum get_column(const CatalogScan *scan, HeapTuple row, AttrNumber column);

// Forgets whether the extension exists and which tables are its.
void forget_extension();

} // namespace shardwise
