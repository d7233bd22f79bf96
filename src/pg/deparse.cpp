#include "pg/deparse.hpp"

extern "C" {
#include "utils/ruleutils.h"
}

namespace shardwise
{

// pg_get_querydef breaks and indents lines. Makes one line of them, in place, leaving quoted text
// as it is.
static void join_lines(char *sql)
{
    char *to = sql;
    char quote = '\0';
    for (const char *from = sql; *from != '\0'; from++) {
        if (quote != '\0')
            quote = *from == quote ? '\0' : quote;
        else if (*from == '\'' || *from == '"')
            quote = *from;
        else if (*from == '\n' || *from == ' ') {
            if (to > sql && to[-1] != ' ')
                *to++ = ' ';
            continue;
        }
        *to++ = *from;
    }
    *to = '\0';
}

char *deparse_query(Query *query)
{
    // With pg_catalog alone in the path, every other name comes out qualified. An error in between
    // needs no care: transaction abort resets the override.
    OverrideSearchPath path = {};
    path.addCatalog = true;
    PushOverrideSearchPath(&path);
    char *sql = pg_get_querydef(query, false);
    PopOverrideSearchPath();

    join_lines(sql);
    return sql;
}

} // namespace shardwise
