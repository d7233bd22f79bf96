// Binary values of arrays and composites carry OIDs of types, which differ between servers.
#pragma once

#include "server.hpp"

#include <string>
#include <string_view>

namespace shardwise::diff
{

// Returns the value with every OID of a type replaced by that type's name, so that equal values
// of two servers are equal bytes.
std::string without_type_oids(Server &server, Oid type, std::string_view value);

} // namespace shardwise::diff
