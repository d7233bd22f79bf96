// Changes of operators, collations, and text search objects that tables on the shards need.
#include "pg/pg.hpp"

#include "ddl/dependencies.hpp"
#include "ddl/forward.hpp"
#include "ddl/object_access.hpp"
#include "ddl/spi.hpp"

extern "C" {
#include "commands/defrem.h"
}

namespace shardwise
{

bool forward_alter_operator(const UtilityCall &call, AlterOperatorStmt *statement)
{
    ShippedObject object = named_object(OBJECT_OPERATOR, (Node *)statement->opername);
    if (!OidIsValid(object.object_id))
        return false;
    run_locally(call);
    CommandCounterIncrement();
    SqlRows rows = query_router(R"(
SELECT format('SET (RESTRICT = %s, JOIN = %s)', CASE WHEN oprrest = 0 THEN 'NONE' ELSE oprrest::text END,
    CASE WHEN oprjoin = 0 THEN 'NONE' ELSE oprjoin::text END) FROM pg_operator WHERE oid = $1)",
                                1, &object.object_id);
    change_shards(psprintf("ALTER %s %s", shipped_object_name(object.class_id, object.object_id),
                           rows.values[0][0]));
    return true;
}

// Lists the members (column 0: as ADD takes them, 1: as DROP does) of one state that the other
// lacks.
static char *list_new_members(const SqlRows &members, const SqlRows &others, int column)
{
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < members.count; i++) {
        bool found = false;
        for (int j = 0; j < others.count; j++)
            found |= strcmp(members.values[i][0], others.values[j][0]) == 0;
        if (!found)
            appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", members.values[i][column]);
    }
    return list.len > 0 ? list.data : nullptr;
}

bool forward_alter_family(const UtilityCall &call, AlterOpFamilyStmt *statement)
{
    List *name = prepend(makeString(statement->amname), statement->opfamilyname);
    ShippedObject object = named_object(OBJECT_OPFAMILY, (Node *)name);
    if (!OidIsValid(object.object_id))
        return false;
    SqlRows before = family_members(object.object_id);
    run_locally(call);
    CommandCounterIncrement();
    SqlRows after = family_members(object.object_id);
    char *family = shipped_object_name(object.class_id, object.object_id);
    char *dropped = list_new_members(before, after, 1);
    char *added = list_new_members(after, before, 0);
    Management management = begin_ddl();
    if (added != nullptr)
        create_objects_on(management.targets, find_members_of_family(object.object_id));
    if (dropped != nullptr)
        run_on_targets(management.targets, psprintf("ALTER %s DROP %s", family, dropped));
    if (added != nullptr)
        run_on_targets(management.targets, psprintf("ALTER %s ADD %s", family, added));
    end_management(&management);
    return true;
}

// REFRESH VERSION: each server has a version of its own.
bool forward_alter_collation(const UtilityCall &call, AlterCollationStmt *statement)
{
    ShippedObject object = named_object(OBJECT_COLLATION, (Node *)statement->collname);
    if (!OidIsValid(object.object_id))
        return false;
    run_locally(call);
    change_shards(psprintf("ALTER %s REFRESH VERSION",
                           shipped_object_name(object.class_id, object.object_id)));
    return true;
}

bool forward_alter_dictionary(const UtilityCall &call, AlterTSDictionaryStmt *original)
{
    ShippedObject object = named_object(OBJECT_TSDICTIONARY, (Node *)original->dictname);
    if (!OidIsValid(object.object_id))
        return false;
    AlterTSDictionaryStmt *statement = copy_node(original);
    run_locally(call);
    StringInfoData options;
    initStringInfo(&options);
    ListCell *cell;
    foreach (cell, statement->options) {
        DefElem *option = lfirst_node(DefElem, cell);
        appendStringInfo(&options, "%s%s", options.len > 0 ? ", " : "",
                         quote_identifier(option->defname));
        if (option->arg != nullptr)
            appendStringInfo(&options, " = %s", quote_literal_cstr(defGetString(option)));
    }
    change_shards(psprintf("ALTER %s (%s)", shipped_object_name(object.class_id, object.object_id),
                           options.data));
    return true;
}

// Which dictionaries see which tokens is made anew.
static List *mapping_sql(const char *name, Oid configuration)
{
    SqlRows rows = query_router(R"(
SELECT 'DROP MAPPING IF EXISTS FOR ' || string_agg(alias, ', ')
FROM pg_ts_config, ts_token_type(cfgparser) WHERE oid = $1
UNION ALL
(SELECT format('ADD MAPPING FOR %s WITH %s', alias, string_agg(format('%I.%I', nspname, dictname), ', '
    ORDER BY mapseqno))
FROM pg_ts_config c JOIN pg_ts_config_map m ON mapcfg = c.oid JOIN pg_ts_dict d ON d.oid = mapdict
JOIN pg_namespace n ON n.oid = dictnamespace JOIN LATERAL ts_token_type(cfgparser) ON tokid = maptokentype
WHERE c.oid = $1 GROUP BY alias))",
                                1, &configuration);
    List *statements = NIL;
    for (int i = 0; i < rows.count; i++)
        statements = lappend(statements, psprintf("ALTER %s %s", name, rows.values[i][0]));
    return statements;
}

bool forward_alter_configuration(const UtilityCall &call, AlterTSConfigurationStmt *statement)
{
    ShippedObject object = named_object(OBJECT_TSCONFIGURATION, (Node *)statement->cfgname);
    if (!OidIsValid(object.object_id))
        return false;
    run_locally(call);
    CommandCounterIncrement();
    char *name = shipped_object_name(object.class_id, object.object_id);
    const List *statements = mapping_sql(name, object.object_id);
    Management management = begin_ddl();
    create_objects_on(management.targets, find_objects_under(object.class_id, object.object_id,
                                                             object.class_id, object.object_id));
    const ListCell *cell;
    foreach (cell, statements)
        run_on_targets(management.targets, static_cast<char *>(lfirst(cell)));
    end_management(&management);
    return true;
}

} // namespace shardwise
