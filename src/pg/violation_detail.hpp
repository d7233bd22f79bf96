// What a user may read of a row that breaks a constraint.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// An error of class 23 (integrity constraint violation) as another server reported it.
struct Violation {
    int sqlstate;
    char *detail; // nullptr, as the names, where the error has none
    const char *schema;
    const char *table; // whose constraint is broken; errors raised by users' code have none
    const char *constraint;
};

// May the current user see all columns of any row that breaks a constraint of a table?
bool may_see_rows(Oid relid);

// Returns the DETAIL that the current user may see, by privileges and row-level security on this
// server; nullptr for none. Where PostgreSQL would show the readable columns of a row alone, there
// is none.
char *visible_detail(const Violation &violation);

} // namespace shardwise
