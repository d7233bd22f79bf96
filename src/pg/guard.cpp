#include "pg/guard.hpp"

namespace shardwise
{

static void raise_out_of_memory()
{
    ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

void install_new_handler()
{
    std::set_new_handler(raise_out_of_memory);
}

} // namespace shardwise
