#include "pg/deparse.hpp"

extern "C" {
#include "utils/ruleutils.h"
}

namespace shardwise
{

char *deparse_query(Query *query)
{
    // With pg_catalog alone in the path, every other name comes out qualified. An error in between
    // needs no care: transaction abort resets the override.
    OverrideSearchPath path = {};
    path.addCatalog = true;
    PushOverrideSearchPath(&path);
    char *sql = pg_get_querydef(query, false);
    PopOverrideSearchPath();

    while (*sql == ' ' || *sql == '\n')
        sql++;
    return sql;
}

} // namespace shardwise
