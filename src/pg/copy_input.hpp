// What versions of PostgreSQL differ in when they COPY.
#pragma once

#include "pg/pg.hpp"

extern "C" {
#include "commands/copyfrom_internal.h"
}

namespace shardwise
{

// The default of column reader->defmap[i] + 1, which the input does not have.
inline ExprState *default_of_missing(CopyFromState reader, int i)
{
#if PG_VERSION_NUM >= 160000
    return reader->defexprs[reader->defmap[i]];
#else
    return reader->defexprs[i];
#endif
}

// True if a field may stand for another value than its own (DEFAULT 'marker').
inline bool has_default_marker(CopyFromState reader)
{
#if PG_VERSION_NUM >= 160000
    return reader->opts.default_print != nullptr;
#else
    return false;
#endif
}

// True if lines with errors are left out (ON_ERROR).
inline bool skips_errors(CopyFromState reader)
{
#if PG_VERSION_NUM >= 170000
    return reader->opts.on_error != COPY_ON_ERROR_STOP;
#else
    return false;
#endif
}

// PostgreSQL's words where the role may not COPY from or to a file or program; for ereport().
int say_copy_is_denied(bool is_program, bool is_from);

} // namespace shardwise
