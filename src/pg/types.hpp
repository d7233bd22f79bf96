// Questions about types.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// int2, int4, int8.
bool is_integer_type(Oid type);

// Converts between integer types, in place. False if the value is out of the target's range.
bool convert_integer(Oid from, Oid to, Datum *value);

// regclass and its like: values are Oids, which another server has given to something else.
bool is_registry_type(Oid type);

// True if every value can be sent in binary, and means the same on another server.
bool is_portable_in_binary(Oid type);

// True for types whose binary form is their value in network byte order: cheap to write and read.
bool has_plain_binary_form(Oid type);

} // namespace shardwise
