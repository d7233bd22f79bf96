// Inside room monitor: counters of queries.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// The statement with every constant replaced by $1, $2, ...; numbers continue after the highest
// parameter that is there already. White space and comments stay.
char *normalize_text(const char *text, int location, int length);

// Forgets all queries.
void reset_queries();

void init_query_settings();

} // namespace shardwise
