// Differences between what the router says of its tables and what a shard has.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

struct SchemaDifference {
    char *object;     // column public.orders.amount
    const char *kind; // missing, extra, different
    char *router;     // definitions; nullptr where there is none
    char *shard;
};

// Runs a query of one row and two columns on a shard.
using SchemaReader = void (*)(void *argument, const char *sql, char **objects, char **definitions);

// Compares all distributed and reference tables with their columns, constraints, indexes, triggers,
// policies and statistics, and the types, functions, schemas and other objects that the shards have
// because of them, with comments, owners and privileges of roles that both know. Returns a list of
// SchemaDifference; *has_tables tells if the shard has any of the tables.
List *find_schema_drift(SchemaReader read, void *argument, bool *has_tables);

} // namespace shardwise
