// What the types of a key can do: PostgreSQL's hash, equality and order functions. Private to the
// room.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// Functions of one key column. fn_oid is InvalidOid where the type has none.
struct KeyColumnFunctions {
    FmgrInfo hash; // extended: takes a seed
    FmgrInfo equal;
    FmgrInfo compare;
    // The hash function cannot be called with this type in SQL (date has int4's): the hash is taken
    // of an array with this one element, and `hash` is hash_array_extended.
    bool hash_in_array;
    int16 length;
    bool by_value;
    char alignment;
};

struct KeyFunctions {
    bool hashable; // every column
    KeyColumnFunctions columns[max_key_columns];
};

// Looks the functions up. FmgrInfos belong to `context`.
void load_key_functions(const Keyspace *keyspace, KeyFunctions *functions, MemoryContext context);

// hash_key() and compare_keys() with functions that were looked up before.
int64 hash_key_with(const Keyspace *keyspace, const KeyFunctions *functions, const Datum *values);
int compare_keys_with(const Keyspace *keyspace, const KeyFunctions *functions, const Datum *a,
                      const Datum *b);

// Compares the first `n` columns of two keys.
int compare_prefixes(const Keyspace *keyspace, const KeyFunctions *functions, int n, const Datum *a,
                     const Datum *b);

// By the types' equality operators. Errors: 42883 for a type without one.
bool keys_are_equal(const Keyspace *keyspace, const KeyFunctions *functions, const Datum *a,
                    const Datum *b);

// Sets what changes how types print or parse to the values that catalog rows are written and read
// under. Undone by AtEOXact_GUC(true, <result>) and by errors.
int use_text_settings();

// key_from_text_array() for many keys: the caller has made the settings.
void parse_key(const Keyspace *keyspace, ArrayType *array, Datum *values);

} // namespace shardwise
