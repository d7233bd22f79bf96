// Whether a table can be distributed: each check raises an error with a reason and a hint.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// Shard key columns of a table, as the user named them.
struct KeyColumns {
    int count;
    AttrNumber numbers[max_key_columns];
    Oid types[max_key_columns]; // what a keyspace stores: under domains, text for varchar
    Oid collations[max_key_columns];
    const char *names[max_key_columns];
};

// Checks kind, persistence and inheritance of a table and its partitions, which the caller has
// locked, and that it is local so far.
void check_table_is_shippable(Relation rel);

// Resolves key column names. Errors: missing, nullable, generated or system columns, repeated ones,
// non-deterministic collations, types without hash (`by_hash`) or order.
KeyColumns resolve_key_columns(Relation rel, ArrayType *names, bool by_hash);

// Checks that every unique and exclusion constraint contains the key.
void check_constraints_contain_key(Relation rel, const KeyColumns *key);

// Checks that shards can enforce the foreign keys from and to a table. key nullptr: it becomes a
// reference table. keyspace_id: the keyspace that it joins, 0 for a new one.
void check_foreign_keys(Relation rel, const KeyColumns *key, int32 keyspace_id);

// The same for tables that are distributed already: all unique constraints of a table and its
// partitions, and one foreign key that it was just given. Reference tables pass the first.
void check_indexes_contain_key(Oid relid);
void check_new_foreign_key(Oid relid, Oid constraint);

// Checks a table that becomes part of a distributed or reference table: kind, persistence, unique
// constraints and foreign keys, once it is a partition.
void check_new_partition(Oid relid);

// Refuses while foreign keys of other tables on the shards point to this one.
void check_nothing_refers_to(Oid relid);

} // namespace shardwise
