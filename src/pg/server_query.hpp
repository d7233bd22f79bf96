// SQL over the extension's own tables and the catalogs, by SPI as the server itself: owners of
// tables may distribute and move them without rights on shardwise's tables. The caller pins
// search_path beforehand, so that nothing of the user's own runs.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

struct ServerQuery {
    Oid user;
    int security_context;
};

// Connects to SPI. An error in between leaves the rest to the end of the (sub)transaction.
ServerQuery begin_server_query();
void end_server_query(const ServerQuery *query);

// The rows of the last command as text, nullptr for NULL: SPI_tuptable->numvals of them. Belong to
// `context`. An empty array where the command returns no rows.
char ***copy_spi_values(MemoryContext context);

} // namespace shardwise
