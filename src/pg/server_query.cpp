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

void end_server_query(const ServerQuery *query)
{
    SPI_finish();
    SetUserIdAndSecContext(query->user, query->security_context);
}

} // namespace shardwise
