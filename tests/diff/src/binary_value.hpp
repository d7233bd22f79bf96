// Binary values of arrays, composites, regclass and its like carry OIDs, which differ between
// servers.
#pragma once

#include "server.hpp"

#include <string>
#include <string_view>

namespace shardwise::diff
{

// Returns the value with every OID replaced by the name of what it stands for, so that equal
// values of two servers are equal bytes.
std::string without_oids(Server &server, Oid type, std::string_view value);

} // namespace shardwise::diff
