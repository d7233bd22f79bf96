// Owners, grants and comments of functions, types, schemas and others that the shards have, for the
// roles that a shard knows.
#pragma once

#include "ddl/table_shipment.hpp"

namespace shardwise
{

// An object's qualified name, quoted.
char *object_identity(Oid class_id, Oid object_id);

// "ROUTINE public.f(integer)", "TYPE public.t": as GRANT, COMMENT, DROP and ALTER ... OWNER have
// it. nullptr for classes of objects that are not recorded.
char *shipped_object_name(Oid class_id, Oid object_id);

// Makes owner, grants and comment of an object that was just created on a shard the router's.
void set_object_access(const Target *target, Oid class_id, Oid object_id);

// Gives an object to the router's owner, on shards where it may be.
void give_object_to_owner(const List *targets, Oid class_id, Oid object_id);

// The role that owns an object on the router; InvalidOid if there is no such object.
Oid object_owner(Oid class_id, Oid object_id);

// An object that is recorded as the shards' too.
struct ShippedObject {
    Oid class_id;
    Oid object_id;
};

// Finds a collation, operator, or text search dictionary or configuration that a statement names,
// if the shards have it; InvalidOid otherwise.
ShippedObject named_object(ObjectType kind, Node *name);

List *list_shipped_objects(); // of ShippedObject *

} // namespace shardwise
