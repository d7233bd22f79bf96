#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/table_definition.hpp"
#include "pg/arguments.hpp"

namespace shardwise
{

static const Table *readable_distributed_table(Oid relid)
{
    if (get_rel_name(relid) == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
    AclResult allowed = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);
    if (allowed != ACLCHECK_OK)
        aclcheck_error(allowed, OBJECT_TABLE, get_rel_name(relid));
    const Table *table = find_table(relid);
    if (table == nullptr)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("table \"%s\" is not distributed", get_rel_name(relid))));
    if (table->is_reference)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("reference table \"%s\" has no shard key", get_rel_name(relid)),
                        errdetail("Its rows are on every shard.")));
    return table;
}

} // namespace shardwise

using namespace shardwise;

// locate(relation, VARIADIC key "any") -> name of the owning shard, NULL where no shard owns it.
SHARDWISE_FUNCTION(shardwise_locate)
{
    require_argument(fcinfo, 0, "relation");
    const Keyspace *keyspace = readable_distributed_table(PG_GETARG_OID(0))->keyspace;
    Datum key[max_key_columns];
    if (!key_from_arguments(fcinfo, 1, keyspace, key))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("shard key must not contain null")));
    int32 owner = find_owner(keyspace, key);
    if (owner == 0)
        PG_RETURN_NULL();
    PG_RETURN_TEXT_P(cstring_to_text(NameStr(find_shard(owner)->name)));
}
