#include "pg/pg.hpp"

#include "ddl/catalog_rows.hpp"
#include "ddl/check_shard.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/forward.hpp"
#include "ddl/table_shipment.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "catalog/pg_extension.h"
#include "commands/extension.h"
}

using namespace shardwise;

// ship_extension(extension name) -> void. Creates an extension of the router on all shards, and on
// those to come, so that its functions and aggregates may run there. What a shard has of that name
// stays as it is. Errors: 42704 the router does not have it; 42501 neither its owner, or no USAGE
// on foreign data wrapper shardwise; 0A000 it is shardwise; those of CREATE EXTENSION on a shard.
SHARDWISE_FUNCTION(shardwise_ship_extension)
{
    const char *name = NameStr(*PG_GETARG_NAME(0));
    PreventCommandIfReadOnly("ship_extension()");
    require_shard_administrator();
    Oid extension = get_extension_oid(name, false);
    if (!pg_extension_ownercheck(extension, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_EXTENSION, name);
    if (strcmp(name, "shardwise") == 0)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("extension \"%s\" is the router's alone", name)));
    lock_metadata();
    Management management = begin_ddl();
    create_objects_on(management.targets, find_objects_of(ExtensionRelationId, extension));
    end_management(&management);
    PG_RETURN_VOID();
}
