#include "pg/names.hpp"

extern "C" {
#include "catalog/partition.h"
}

namespace shardwise
{

char *qualified_table_name(Oid relid)
{
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
                                      get_rel_name(relid));
}

Oid topmost_table(Oid relid)
{
    // None while it is being detached.
    List *ancestors = get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL;
    return ancestors == NIL ? relid : llast_oid(ancestors);
}

} // namespace shardwise
