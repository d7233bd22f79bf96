// What a table needs on a shard before it can be created: schemas, extensions, types, collations,
// functions. Found through pg_depend, so bodies of functions in other languages than SQL-standard
// ones are not looked into.
#pragma once

#include "pg/pg.hpp"
#include "remote/connection.hpp"

namespace shardwise
{

struct NeededObject {
    Oid class_id;
    Oid object_id;
    const char *description; // as in messages: function public.f(integer)
    const char *state_sql;   // one row: exists, definition; for router and shard alike
    const char *create_sql;
};

// Lists what a table and its partitions need, each object after those that it needs itself.
// `shipped`: the tables (with partitions) that are being shipped together. Errors: 0A000 for what a
// shard cannot have, such as a local table that a policy reads.
List *find_needed_objects(Oid relid, const List *shipped);

// Creates on a shard what is missing there. Errors: 42710 when the shard has another object of the
// name, or of another definition.
void create_needed_objects(Connection *shard, const List *objects, Datum roles);

// Records in shardwise.shipped_function the functions among the objects.
void record_shipped_functions(const List *objects);

} // namespace shardwise
