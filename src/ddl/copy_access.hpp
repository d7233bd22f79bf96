// Who may COPY from and to where.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Raises COPY's own errors unless the role may use the statement's file or program.
void check_copy_file(const CopyStmt *statement);

} // namespace shardwise
