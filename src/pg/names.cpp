#include "pg/names.hpp"

namespace shardwise
{

char *qualified_table_name(Oid relid)
{
    return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
                                      get_rel_name(relid));
}

} // namespace shardwise
