#include "pg/server_query.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "executor/spi.h"
}

namespace shardwise
{

ServerQuery begin_server_query()
{
    ServerQuery query;
    GetUserIdAndSecContext(&query.user, &query.security_context);
    SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID,
                           query.security_context | SECURITY_LOCAL_USERID_CHANGE);
    if (SPI_connect() != SPI_OK_CONNECT)
        elog(ERROR, "could not connect to SPI");
    return query;
}

char ***copy_spi_values(MemoryContext context)
{
    MemoryContext spi = MemoryContextSwitchTo(context);
    uint64 count = SPI_tuptable != nullptr ? SPI_tuptable->numvals : 0;
    char ***rows = static_cast<char ***>(palloc0((count + 1) * sizeof(char **)));
    for (uint64 i = 0; i < count; i++) {
        int columns = SPI_tuptable->tupdesc->natts;
        rows[i] = static_cast<char **>(palloc0((columns + 1) * sizeof(char *)));
        for (int j = 0; j < columns; j++)
            rows[i][j] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, j + 1);
    }
    MemoryContextSwitchTo(spi);
    return rows;
}

void end_server_query(const ServerQuery *query)
{
    SPI_finish();
    SetUserIdAndSecContext(query->user, query->security_context);
}

} // namespace shardwise
