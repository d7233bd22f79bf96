// Queries on the router's own catalogs.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Rows as text; entries are nullptr for NULL. Owned by the caller's memory context.
struct SqlRows {
    int count;
    int ncolumns;
    char ***values;
};

// Runs a query over catalogs with search_path = pg_catalog, so that every name in an expression or
// definition comes out qualified, and values print alike whatever the session's settings are.
// Parameters: `argument` oids as $1 ... (oid).
SqlRows query_router(const char *sql, int narguments = 0, const Oid *arguments = nullptr);

// The same with other parameters.
SqlRows query_router_with(const char *sql, int nparams, const Oid *types, const Datum *values);

// A literal of text[]. `texts`: of char *, nullptr for NULL.
char *text_array_literal(const List *texts);

// Settings that make texts of values and definitions the same everywhere, until restore_settings().
int use_canonical_settings();
void restore_settings(int nest_level);

} // namespace shardwise
