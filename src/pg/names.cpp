#include "pg/names.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "utils/guc.h"
}

namespace shardwise
{

char *qualified_table_name(Oid relid)
{
    // Who holds no lock on the table may find it dropped.
    const char *name = get_rel_name(relid);
    const char *schema = get_namespace_name(get_rel_namespace(relid));
    if (name == nullptr || schema == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
    return quote_qualified_identifier(schema, name);
}

Oid topmost_table(Oid relid)
{
    // None while it is being detached.
    List *ancestors = get_rel_relispartition(relid) ? get_partition_ancestors(relid) : NIL;
    return ancestors == NIL ? relid : llast_oid(ancestors);
}

int begin_catalog_path()
{
#if PG_VERSION_NUM >= 170000
    int level = NewGUCNestLevel();
    RestrictSearchPath();
    return level;
#else
    OverrideSearchPath path = {};
    path.addCatalog = true;
    PushOverrideSearchPath(&path);
    return 0;
#endif
}

void end_catalog_path(int path)
{
#if PG_VERSION_NUM >= 170000
    AtEOXact_GUC(true, path);
#else
    PopOverrideSearchPath();
#endif
}

} // namespace shardwise
