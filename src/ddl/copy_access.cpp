#include "pg/pg.hpp"

#include "ddl/copy_access.hpp"

extern "C" {
#include "catalog/pg_authid.h"
}

namespace shardwise
{

static Oid needed_role(const CopyStmt *statement)
{
    if (statement->is_program)
        return ROLE_PG_EXECUTE_SERVER_PROGRAM;
    return statement->is_from ? ROLE_PG_READ_SERVER_FILES : ROLE_PG_WRITE_SERVER_FILES;
}

static int refusal(const CopyStmt *statement)
{
    if (statement->is_program)
        return errmsg("must be superuser or have privileges of the pg_execute_server_program role "
                      "to COPY to or from an external program");
    return statement->is_from
               ? errmsg("must be superuser or have privileges of the pg_read_server_files role to "
                        "COPY from a file")
               : errmsg("must be superuser or have privileges of the pg_write_server_files role "
                        "to COPY to a file");
}

void check_copy_file(const CopyStmt *statement)
{
    if (statement->filename == nullptr)
        return;
    if (!has_privs_of_role(GetUserId(), needed_role(statement)))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), refusal(statement),
                        errhint("Anyone can COPY to stdout or from stdin. psql's \\copy command "
                                "also works for anyone.")));
    if (!statement->is_from && !statement->is_program && !is_absolute_path(statement->filename))
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                        errmsg("relative path not allowed for COPY to file")));
}

} // namespace shardwise
