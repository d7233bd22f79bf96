// Arguments of SQL functions that may be NULL.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Errors: 22004 if the argument, counted from 0, is NULL.
inline void require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
    if (PG_ARGISNULL(number))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument \"%s\" must not be null", name)));
}

// An argument of type text; nullptr where it is NULL.
inline char *text_argument(FunctionCallInfo fcinfo, int number)
{
    return PG_ARGISNULL(number) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

} // namespace shardwise
