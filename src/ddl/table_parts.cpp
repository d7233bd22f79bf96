// Triggers, policies, extended statistics and comments of tables that the shards have.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/forward.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/object_access.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"
#include "ddl/trigger_definition.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "catalog/objectaddress.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
}

namespace shardwise
{

bool forward_create_trigger(const UtilityCall &call, CreateTrigStmt *statement)
{
    Oid relid = named_shipped_relation(statement->relation);
    if (!OidIsValid(relid))
        return false;
    check_ddl_allowed(relid, "CREATE TRIGGER");
    char *name = pstrdup(statement->trigname);
    bool replace = statement->replace;
    Oid replaced = replace ? get_trigger_oid(relid, name, true) : InvalidOid;
    List *statements = OidIsValid(replaced) ? drop_key_check_sql(relid, replaced) : NIL;
    run_locally(call);
    CommandCounterIncrement();
    Oid trigger = get_trigger_oid(relid, name, false);
    SqlRows rows = query_router(
        psprintf("SELECT %s FROM pg_trigger t WHERE t.oid = $1", shard_trigger_definition()), 1,
        &trigger);
    const char *sql = rows.values[0][0];
    statements =
        lappend(statements,
                replace ? psprintf("CREATE OR REPLACE%s", sql + strlen("CREATE")) : pstrdup(sql));
    change_shards(list_concat(statements, key_check_sql(relid, trigger)), relid);
    return true;
}

// Policies name roles, and a shard may know some of them only.
void replace_policy(Oid relid, const char *old_name, const char *new_name)
{
    Management management = begin_ddl();
    ship_dependencies(management.targets, relid);
    if (old_name != nullptr)
        run_on_targets(management.targets,
                       psprintf("DROP POLICY IF EXISTS %s ON %s", quote_identifier(old_name),
                                qualified_table_name(relid)));
    Datum roles = roles_of_table(relid);
    ListCell *cell;
    foreach (cell, management.targets) {
        const Target *target = static_cast<Target *>(lfirst(cell));
        ListCell *statement;
        foreach (statement, policy_sql(relid, new_name, roles_on_shard(target, roles, false)))
            run_command(target->connection, static_cast<char *>(lfirst(statement)));
    }
    end_management(&management);
}

bool forward_create_policy(const UtilityCall &call, CreatePolicyStmt *statement)
{
    Oid relid = named_shipped_relation(statement->table);
    if (!OidIsValid(relid))
        return false;
    check_ddl_allowed(relid, "CREATE POLICY");
    char *name = pstrdup(statement->policy_name);
    run_locally(call);
    CommandCounterIncrement();
    replace_policy(relid, nullptr, name);
    return true;
}

bool forward_alter_policy(const UtilityCall &call, AlterPolicyStmt *statement)
{
    Oid relid = named_shipped_relation(statement->table);
    if (!OidIsValid(relid))
        return false;
    check_ddl_allowed(relid, "ALTER POLICY");
    char *name = pstrdup(statement->policy_name);
    run_locally(call);
    CommandCounterIncrement();
    replace_policy(relid, name, name);
    return true;
}

static List *statistics_of(Oid relid)
{
    Relation rel = table_open(relid, AccessShareLock);
    List *oids = list_copy(RelationGetStatExtList(rel));
    table_close(rel, NoLock);
    return oids;
}

bool forward_create_statistics(const UtilityCall &call, CreateStatsStmt *statement)
{
    Node *from = statement->relations != NIL ? (Node *)linitial(statement->relations) : nullptr;
    Oid relid = from != nullptr && IsA(from, RangeVar) ? named_shipped_relation((RangeVar *)from)
                                                       : InvalidOid;
    if (!OidIsValid(relid))
        return false;
    List *before = statistics_of(relid);
    run_locally(call);
    CommandCounterIncrement();
    List *added = list_difference_oid(statistics_of(relid), before);
    if (added == NIL) // IF NOT EXISTS
        return true;
    Oid statistics = linitial_oid(added);
    SqlRows rows = query_router("SELECT pg_get_statisticsobjdef($1)", 1, &statistics);
    change_shards(rows.values[0][0], relid);
    return true;
}

bool forward_alter_statistics(const UtilityCall &call, AlterStatsStmt *statement)
{
    Oid statistics = get_statistics_object_oid(statement->defnames, true);
    Oid relid = table_of_statistics(statistics);
    if (!OidIsValid(relid))
        return false;
    int target = statistics_target(statement);
    run_locally(call);
    change_shards(psprintf("ALTER STATISTICS %s SET STATISTICS %d",
                           qualified_statistics_name(statistics), target));
    return true;
}

static Oid domain_of_constraint(Oid constraint)
{
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
    Oid domain = ((Form_pg_constraint)GETSTRUCT(tuple))->contypid;
    ReleaseSysCache(tuple);
    return domain;
}

// True for an object that the shards have. *relid is the table that it belongs to, if any.
static bool has_comment_on_shards(const ObjectAddress *address, Oid *relid)
{
    *relid = InvalidOid;
    switch (address->classId) {
    case RelationRelationId:
        *relid = shipped_relation(address->objectId);
        return OidIsValid(*relid);
    case StatisticExtRelationId:
        *relid = table_of_statistics(address->objectId);
        return OidIsValid(*relid);
    case ConstraintRelationId:
        return is_shipped_object(TypeRelationId, domain_of_constraint(address->objectId));
    default:
        return is_shipped_object(address->classId, address->objectId);
    }
}

// "COLUMN public.t.c", as COMMENT ON wants it; nullptr for what shards do not have.
static char *commented_object(ObjectType type, const ObjectAddress *address, Oid parent)
{
    SqlRows rows;
    Oid oid = address->objectId;
    switch (type) {
    case OBJECT_TABLE:
        return psprintf("TABLE %s", qualified_table_name(oid));
    case OBJECT_INDEX:
        return psprintf("INDEX %s", qualified_table_name(oid));
    case OBJECT_COLUMN:
        return psprintf("COLUMN %s.%s", qualified_table_name(oid),
                        quote_identifier(get_attname(oid, address->objectSubId, false)));
    case OBJECT_TABCONSTRAINT:
        return psprintf("CONSTRAINT %s ON %s", quote_identifier(get_constraint_name(oid)),
                        qualified_table_name(parent));
    case OBJECT_TRIGGER:
        rows = query_router("SELECT quote_ident(tgname) FROM pg_trigger WHERE oid = $1", 1, &oid);
        return psprintf("TRIGGER %s ON %s", rows.values[0][0], qualified_table_name(parent));
    case OBJECT_STATISTIC_EXT:
        return psprintf("STATISTICS %s", qualified_statistics_name(oid));
    case OBJECT_POLICY:
        rows = query_router("SELECT quote_ident(polname) FROM pg_policy WHERE oid = $1", 1, &oid);
        return psprintf("POLICY %s ON %s", rows.values[0][0], qualified_table_name(parent));
    case OBJECT_DOMCONSTRAINT:
        return psprintf("CONSTRAINT %s ON DOMAIN %s", quote_identifier(get_constraint_name(oid)),
                        format_type_be_qualified(domain_of_constraint(oid)));
    default:
        return shipped_object_name(address->classId, oid);
    }
}

bool forward_comment(const UtilityCall &call, CommentStmt *statement)
{
    if (statement->objtype == OBJECT_DATABASE || statement->objtype == OBJECT_ROLE ||
        statement->objtype == OBJECT_TABLESPACE)
        return false;
    Relation rel = nullptr;
    ObjectAddress address =
        get_object_address(statement->objtype, statement->object, &rel, AccessShareLock, true);
    Oid parent = rel != nullptr ? RelationGetRelid(rel) : InvalidOid;
    if (rel != nullptr)
        relation_close(rel, NoLock);
    if (!OidIsValid(address.objectId))
        return false;
    Oid relid = shipped_relation(parent);
    if (!OidIsValid(relid) && !has_comment_on_shards(&address, &relid))
        return false;
    char *object = commented_object(statement->objtype, &address, parent);
    if (object == nullptr)
        return false;
    char *text =
        statement->comment != nullptr ? quote_literal_cstr(statement->comment) : pstrdup("NULL");
    bool is_policy = statement->objtype == OBJECT_POLICY; // some shards do not have it
    run_locally(call);
    char *sql = psprintf("COMMENT ON %s IS %s", object, text);
    change_shards(is_policy ? if_object_exists(sql) : sql);
    return true;
}

} // namespace shardwise
