// What a table needs on a shard before it can be created: schemas, extensions, types, casts,
// collations, functions, aggregates, operators, text search objects. Found through pg_depend, so
// bodies of functions in other languages than SQL-standard ones are not looked into.
#pragma once

#include "pg/pg.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_shipment.hpp"

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

// Lists the functions and types outside of pg_catalog that an expression uses itself, with what
// they need.
List *find_objects_of_expression(Node *expr);

// Lists an object (type, schema, extension, ...) after those that it needs.
List *find_objects_of(Oid class_id, Oid object_id);

// Lists what is recorded as the shards' too (functions, types, extensions, ...), in the same way.
List *find_shipped_objects();

// Lists what one object needs, but neither itself nor an object that it belongs to.
List *find_objects_under(Oid class_id, Oid object_id, Oid owner_class, Oid owner);

// Lists the casts by a function.
List *find_casts_of_function(Oid function);

// Lists the operators and functions that a family has, with what they need.
List *find_members_of_family(Oid family);

// The members of a family that are in no class: as ADD takes them (text), and as DROP does.
SqlRows family_members(Oid family);

// What CREATE AGGREGATE takes.
char *aggregate_definition(Oid aggregate);

// Creates on a shard what is missing there, with owner, grants and comment. Errors: 42710 when the
// shard has another object of the name, or of another definition.
void create_needed_objects(const Target *target, const List *objects);

// Records the functions, types and so on among the objects as the shards' too.
void record_shipped_objects(const List *objects);

} // namespace shardwise
