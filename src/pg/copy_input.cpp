#include "pg/copy_input.hpp"

namespace shardwise
{

int say_copy_is_denied(bool is_program, bool is_from)
{
#if PG_VERSION_NUM >= 160000
    const char *role = is_program ? "pg_execute_server_program"
                       : is_from  ? "pg_read_server_files"
                                  : "pg_write_server_files";
    const char *what = is_program ? "to or from an external program"
                       : is_from  ? "from a file"
                                  : "to a file";
    errmsg("permission denied to COPY %s", what);
    return errdetail("Only roles with privileges of the \"%s\" role may COPY %s.", role, what);
#else
    if (is_program)
        return errmsg("must be superuser or have privileges of the pg_execute_server_program role "
                      "to COPY to or from an external program");
    return is_from ? errmsg("must be superuser or have privileges of the pg_read_server_files role "
                            "to COPY from a file")
                   : errmsg("must be superuser or have privileges of the pg_write_server_files "
                            "role to COPY to a file");
#endif
}

} // namespace shardwise
