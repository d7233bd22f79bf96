// Values of other types than the key's that can be taken for keys.
#pragma once

#include "pg/pg.hpp"
#include "catalog/catalog.hpp"

namespace shardwise
{

// True if the values of `expr` (the elements, of an array) can be taken as values of a key column.
bool value_fits(const Keyspace *keyspace, int column, const Expr *expr, bool is_array);

} // namespace shardwise
