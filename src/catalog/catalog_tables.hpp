// Our own catalog tables: which they are in this database, and how their rows are read.
// Private to the room.
#pragma once

#include "pg/pg.hpp"

#include "catalog/catalog_columns.hpp"

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
    Plan,
    Move,
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

// Takes the snapshot that our tables are read with: a fresh one, like the system's for its own
// catalogs. The transaction's would miss rows that this command's caller has written and, in
// REPEATABLE READ, keep an outdated map in the cache when the transaction is long over.
Snapshot take_catalog_snapshot();
void release_catalog_snapshot(Snapshot snapshot);

// A scan of one table, by equality on the first column of its primary key or over all rows.
// `snapshot` nullptr: one that take_catalog_snapshot() would take, for this scan alone.
struct CatalogScan {
    Relation rel;
    struct SysScanDescData *scan;
};

CatalogScan scan_all_rows(CatalogTable table, Snapshot snapshot);
CatalogScan scan_rows_by_oid(CatalogTable table, Snapshot snapshot, Oid value);
CatalogScan scan_rows_by_number(CatalogTable table, Snapshot snapshot, int32 value);

// The next row, which lives until the one after it is asked for; nullptr at the end.
HeapTuple next_row(CatalogScan *scan);
void end_scan(CatalogScan *scan);

// Reads a column; the value lives as long as the row.
Datum get_column(const CatalogScan *scan, HeapTuple row, AttrNumber column, bool *isnull);

// Reads a column that is declared NOT NULL.
Datum get_column(const CatalogScan *scan, HeapTuple row, AttrNumber column);

// Forgets whether the extension exists and which tables are its.
void forget_extension();

} // namespace shardwise
