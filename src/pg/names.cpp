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
    return get_rel_relispartition(relid) ? llast_oid(get_partition_ancestors(relid)) : relid;
}

} // namespace shardwise
