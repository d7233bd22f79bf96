#include "pg/pg.hpp"

#include "ddl/copy_access.hpp"
#include "pg/copy_input.hpp"

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

void check_copy_file(const CopyStmt *statement)
{
    if (statement->filename == nullptr)
        return;
    if (!has_privs_of_role(GetUserId(), needed_role(statement)))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        say_copy_is_denied(statement->is_program, statement->is_from),
                        errhint("Anyone can COPY to stdout or from stdin. psql's \\copy command "
                                "also works for anyone.")));
    if (!statement->is_from && !statement->is_program && !is_absolute_path(statement->filename))
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                        errmsg("relative path not allowed for COPY to file")));
}

} // namespace shardwise
