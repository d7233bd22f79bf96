#include "pg/pg.hpp"

#include "pg/restoring.hpp"

extern "C" {
#include "utils/rls.h"
}

namespace shardwise
{

bool session_restores_dump()
{
    return !check_function_bodies && !row_security &&
           (namespace_search_path == nullptr || namespace_search_path[0] == '\0');
}

} // namespace shardwise
