#include "pg/pg.hpp"

#include "ddl/dependencies.hpp"
#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/object_access.hpp"
#include "ddl/object_definitions.hpp"
#include "ddl/spi.hpp"
#include "ddl/table_definition.hpp"

extern "C" {
#include "access/transam.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "commands/extension.h"
#include "utils/regproc.h"
}

namespace shardwise
{

// Objects that a table consists of, beyond its columns. A default that reads a sequence stays home.
static const char *const parts_query = R"(
SELECT d.classid::oid, d.objid FROM pg_depend d
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1
AND CASE d.classid
    WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (
        SELECT FROM pg_depend p JOIN pg_class s ON s.oid = p.refobjid AND s.relkind = 'S'
        WHERE p.classid = d.classid AND p.objid = d.objid AND p.refclassid = 'pg_class'::regclass)
    WHEN 'pg_constraint'::regclass THEN (SELECT conrelid = $1 FROM pg_constraint WHERE oid = d.objid)
    WHEN 'pg_trigger'::regclass THEN (SELECT tgrelid = $1 AND NOT tgisinternal FROM pg_trigger
        WHERE oid = d.objid)
    WHEN 'pg_policy'::regclass THEN (SELECT polrelid = $1 FROM pg_policy WHERE oid = d.objid)
    WHEN 'pg_statistic_ext'::regclass THEN (SELECT stxrelid = $1 FROM pg_statistic_ext
        WHERE oid = d.objid)
    ELSE false END
UNION
SELECT 'pg_class'::regclass::oid, indexrelid FROM pg_index WHERE indrelid = $1
ORDER BY 1, 2)";

// Constraints of a domain, which refer to it and not the other way round.
static const char *const domain_parts_query = R"(
SELECT 'pg_constraint'::regclass::oid, oid FROM pg_constraint WHERE contypid = $1 ORDER BY 2)";

static const char *const references_query = R"(
SELECT DISTINCT refclassid::oid, refobjid FROM pg_depend
WHERE classid = $1 AND objid = $2 AND deptype IN ('n', 'a', 'i', 'P', 'S') AND refobjid >= 16384
ORDER BY 1, 2)";

// What an operator class or family consists of.
static const char *const members_query = R"(
SELECT DISTINCT m.refclassid::oid, m.refobjid FROM pg_depend d
JOIN pg_depend m ON m.classid = d.classid AND m.objid = d.objid
WHERE d.refclassid = $1 AND d.refobjid = $2 AND d.classid IN ('pg_amop'::regclass, 'pg_amproc'::regclass)
AND m.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass) AND m.refobjid >= 16384
ORDER BY 1, 2)";

static const char *const schema_query = R"(
SELECT refclassid::oid, refobjid FROM pg_depend
WHERE classid = $1 AND objid = $2 AND refclassid = 'pg_namespace'::regclass)";

// What a function takes and returns.
static const char *const function_types_query = R"(
SELECT DISTINCT refclassid::oid, refobjid FROM pg_depend
WHERE classid = 'pg_proc'::regclass AND objid = $1 AND refclassid = 'pg_type'::regclass AND refobjid >= 16384
ORDER BY 2)";

// No object depends on a cast that it uses: those by a function come with the function, others with
// the types.
static const char *const function_casts_query = R"(
SELECT 'pg_cast'::regclass::oid, oid FROM pg_cast WHERE castfunc = $1 AND oid >= 16384 ORDER BY 2)";
static const char *const type_casts_query = R"(
SELECT CASE $1 WHEN castsource THEN casttarget ELSE castsource END, oid FROM pg_cast
WHERE $1 IN (castsource, casttarget) AND castfunc = 0 AND oid >= 16384 ORDER BY 2)";

static const char *const generic_query = R"(
SELECT format('SELECT true, classid::text FROM pg_get_object_address(%L, %L, %L)',
    type, object_names, object_args)
FROM pg_identify_object_as_address($1, $2, 0))";

struct Search {
    List *visited; // of ObjectAddress
    List *objects; // of NeededObject
    const List *shipped;
};

static void visit(Search *search, Oid class_id, Oid object_id);

static void visit_all(Search *search, const SqlRows &rows)
{
    for (int i = 0; i < rows.count; i++)
        visit(search, atooid(rows.values[i][0]), atooid(rows.values[i][1]));
}

static void visit_references(Search *search, Oid class_id, Oid object_id)
{
    const Oid arguments[] = {class_id, object_id};
    visit_all(search, query_router(references_query, 2, arguments));
}

static bool mark_visited(Search *search, Oid class_id, Oid object_id)
{
    ListCell *cell;
    foreach (cell, search->visited) {
        ObjectAddress *seen = static_cast<ObjectAddress *>(lfirst(cell));
        if (seen->classId == class_id && seen->objectId == object_id)
            return false;
    }
    ObjectAddress *address = static_cast<ObjectAddress *>(palloc(sizeof(ObjectAddress)));
    ObjectAddressSet(*address, class_id, object_id);
    search->visited = lappend(search->visited, address);
    return true;
}

static char *describe(Oid class_id, Oid object_id)
{
    ObjectAddress address;
    ObjectAddressSet(address, class_id, object_id);
    return getObjectDescription(&address, false);
}

static void add_object(Search *search, Oid class_id, Oid object_id, const char *description,
                       const char *state_sql, const char *create_sql)
{
    NeededObject *object = static_cast<NeededObject *>(palloc(sizeof(NeededObject)));
    *object = {class_id, object_id, description, state_sql, create_sql};
    search->objects = lappend(search->objects, object);
}

// The formats use positional arguments only, each any number of times.
static char *state_query(const char *format, const char *name)
{
    char *literal = quote_literal_cstr(name);
    StringInfoData state;
    initStringInfo(&state);
    for (const char *c = format; *c; c++) {
        if (strncmp(c, "%1$s", 4) == 0) {
            appendStringInfoString(&state, literal);
            c += 3;
        } else if (strncmp(c, "%%", 2) == 0) {
            appendStringInfoChar(&state, '%');
            c++;
        } else
            appendStringInfoChar(&state, *c);
    }
    return state.data;
}

char *aggregate_definition(Oid aggregate)
{
    return query_router(state_query(aggregate_state, format_procedure_qualified(aggregate)))
        .values[0][1];
}

// Adds an object whose definition the state query returns on the router.
static void add_described(Search *search, Oid class_id, Oid object_id, const char *state_format,
                          const char *name, const char *create_prefix)
{
    char *state = state_query(state_format, name);
    SqlRows rows = query_router(state);
    if (rows.values[0][1] == nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot create %s on shards", describe(class_id, object_id)),
                        errhint("Create it there with shardwise.run_on_shards().")));
    add_object(search, class_id, object_id, describe(class_id, object_id), state,
               psprintf("%s%s", create_prefix, rows.values[0][1]));
}

static void add_extension(Search *search, Oid extension)
{
    char *name = get_extension_name(extension);
    if (strcmp(name, "shardwise") == 0)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("table depends on extension \"shardwise\", which shards do not have"),
                 errhint("Remove shardwise's functions from its defaults, checks, policies "
                         "and triggers.")));
    visit_references(search, ExtensionRelationId, extension);
    SqlRows rows = query_router(
        "SELECT format('CREATE EXTENSION %I SCHEMA %I VERSION %L', extname, nspname, extversion) "
        "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.oid = $1",
        1, &extension);
    add_described(search, ExtensionRelationId, extension, extension_state, name, "");
    NeededObject *object = static_cast<NeededObject *>(llast(search->objects));
    object->create_sql = rows.values[0][0];
}

static void visit_relation(Search *search, Oid relid)
{
    char kind = get_rel_relkind(relid);
    if (kind == RELKIND_COMPOSITE_TYPE) {
        visit_references(search, RelationRelationId, relid);
        return;
    }
    if (kind == RELKIND_INDEX || kind == RELKIND_PARTITIONED_INDEX || kind == RELKIND_TOASTVALUE)
        return;
    if (list_member_oid(search->shipped, relid) || find_table(relid) != nullptr)
        return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("table depends on local relation %s, which shards do not have",
                           qualified_table_name(relid)),
                    kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE
                        ? errhint("Make it a reference table first: SELECT "
                                  "shardwise.create_reference_table(%s).",
                                  quote_literal_cstr(qualified_table_name(relid)))
                        : 0));
}

// The functions of a base type need its name, and it needs them. A shell is recorded nowhere and
// has neither owner nor grants: who completes it must own it.
static void add_shell(Search *search, Oid type, const char *name)
{
    const Oid arguments[] = {TypeRelationId, type};
    visit_all(search, query_router(schema_query, 2, arguments));
    char *state = state_query(shell_type_state, name);
    add_object(search, InvalidOid, type, psprintf("type %s", name), state,
               psprintf("CREATE TYPE %s", name));
}

static bool is_found(const Search *search, Oid class_id, Oid object_id)
{
    ListCell *cell;
    foreach (cell, search->objects) {
        const NeededObject *object = static_cast<NeededObject *>(lfirst(cell));
        if (object->class_id == class_id && object->object_id == object_id)
            return true;
    }
    return false;
}

static void visit_type_casts(Search *search, Oid type)
{
    SqlRows casts = query_router(type_casts_query, 1, &type);
    for (int i = 0; i < casts.count; i++) {
        Oid other = atooid(casts.values[i][0]);
        if (other < FirstNormalObjectId || is_found(search, TypeRelationId, other))
            visit(search, CastRelationId, atooid(casts.values[i][1]));
    }
}

static void visit_type(Search *search, Oid type)
{
    Oid element = get_element_type(type);
    if (OidIsValid(element) && get_array_type(element) == type) {
        visit(search, TypeRelationId, element);
        return;
    }
    char kind = get_typtype(type);
    Oid relation = get_typ_typrelid(type);
    if (kind == TYPTYPE_COMPOSITE && get_rel_relkind(relation) != RELKIND_COMPOSITE_TYPE) {
        visit_relation(search, relation);
        return;
    }
    if (kind == TYPTYPE_MULTIRANGE) {
        visit(search, TypeRelationId, get_multirange_range(type));
        return;
    }
    char *name = format_type_be_qualified(type);
    if (kind == TYPTYPE_BASE)
        add_shell(search, type, name);
    visit_references(search, TypeRelationId, type);

    char *create = psprintf("CREATE %s %s AS ", kind == TYPTYPE_DOMAIN ? "DOMAIN" : "TYPE", name);
    switch (kind) {
    case TYPTYPE_ENUM:
        return add_described(search, TypeRelationId, type, enum_state, name, create);
    case TYPTYPE_COMPOSITE:
        return add_described(search, TypeRelationId, type, composite_state, name, create);
    case TYPTYPE_DOMAIN:
        visit_all(search, query_router(domain_parts_query, 1, &type));
        return add_described(search, TypeRelationId, type, domain_state, name, create);
    case TYPTYPE_RANGE:
        return add_described(search, TypeRelationId, type, range_state, name, create);
    case TYPTYPE_BASE:
        return add_described(search, TypeRelationId, type, base_type_state, name,
                             psprintf("CREATE TYPE %s ", name));
    default:
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("type %s cannot be created on shards", name)));
    }
}

static void visit_other(Search *search, Oid class_id, Oid object_id)
{
    if (class_id == ConstraintRelationId || class_id == AttrDefaultRelationId ||
        class_id == TriggerRelationId || class_id == PolicyRelationId ||
        class_id == StatisticExtRelationId)
        return;
    // What has no definition of its own here must be there already.
    const Oid arguments[] = {class_id, object_id};
    SqlRows rows = query_router(generic_query, 2, arguments);
    add_object(search, class_id, object_id, describe(class_id, object_id), rows.values[0][0],
               nullptr);
}

static void visit_routine(Search *search, Oid function)
{
    const char *name = format_procedure_qualified(function);
    if (get_func_prokind(function) == PROKIND_AGGREGATE)
        add_described(search, ProcedureRelationId, function, aggregate_state, name,
                      "CREATE AGGREGATE ");
    else
        add_described(search, ProcedureRelationId, function, function_state, name, "");
    visit_all(search, query_router(function_casts_query, 1, &function));
}

static void visit_operator_class(Search *search, Oid class_id, Oid object_id)
{
    const Oid arguments[] = {class_id, object_id};
    visit_all(search, query_router(members_query, 2, arguments));
    bool is_class = class_id == OperatorClassRelationId;
    add_described(search, class_id, object_id,
                  is_class ? operator_class_state : operator_family_state,
                  object_identity(class_id, object_id),
                  is_class ? "CREATE OPERATOR CLASS " : "CREATE OPERATOR FAMILY ");
}

SqlRows family_members(Oid family)
{
    return query_router(state_query(operator_family_members, ""), 1, &family);
}

static void visit_described(Search *search, Oid class_id, Oid object_id)
{
    char *name;
    switch (class_id) {
    case ProcedureRelationId:
        return visit_routine(search, object_id);
    case CollationRelationId:
        name = object_identity(class_id, object_id);
        return add_described(search, class_id, object_id, collation_state, name,
                             psprintf("CREATE COLLATION %s ", name));
    case OperatorRelationId:
        return add_described(search, class_id, object_id, operator_state,
                             object_identity(class_id, object_id), "CREATE OPERATOR ");
    case OperatorClassRelationId:
    case OperatorFamilyRelationId:
        return visit_operator_class(search, class_id, object_id);
    case CastRelationId:
        name = object_identity(class_id, object_id);
        return add_described(search, class_id, object_id, cast_state, name,
                             psprintf("CREATE CAST %s ", name));
    case TSParserRelationId:
        return add_described(search, class_id, object_id, text_search_parser_state,
                             object_identity(class_id, object_id), "CREATE TEXT SEARCH PARSER ");
    case TSTemplateRelationId:
        return add_described(search, class_id, object_id, text_search_template_state,
                             object_identity(class_id, object_id), "CREATE TEXT SEARCH TEMPLATE ");
    case TSDictionaryRelationId:
        return add_described(search, class_id, object_id, text_search_dictionary_state,
                             object_identity(class_id, object_id),
                             "CREATE TEXT SEARCH DICTIONARY ");
    case TSConfigRelationId:
        return add_described(search, class_id, object_id, text_search_configuration_state,
                             object_identity(class_id, object_id),
                             "CREATE TEXT SEARCH CONFIGURATION ");
    default:
        visit_other(search, class_id, object_id);
    }
}

static void visit(Search *search, Oid class_id, Oid object_id)
{
    check_stack_depth();
    CHECK_FOR_INTERRUPTS();
    if (object_id < FirstNormalObjectId)
        return;
    if (class_id == ProcedureRelationId) // a base type needs it in turn, and has to come first
        visit_all(search, query_router(function_types_query, 1, &object_id));
    if (!mark_visited(search, class_id, object_id))
        return;
    Oid extension = getExtensionOfObject(class_id, object_id);
    if (class_id == ExtensionRelationId)
        add_extension(search, object_id);
    else if (OidIsValid(extension))
        visit(search, ExtensionRelationId, extension);
    else if (class_id == RelationRelationId)
        visit_relation(search, object_id);
    else if (class_id == TypeRelationId) {
        visit_type(search, object_id);
        visit_type_casts(search, object_id);
    } else if (class_id == NamespaceRelationId) {
        char *name = get_namespace_name(object_id);
        char *literal = quote_literal_cstr(quote_identifier(name));
        add_object(search, class_id, object_id, describe(class_id, object_id),
                   psprintf("SELECT to_regnamespace(%s) IS NOT NULL, ''", literal),
                   psprintf("CREATE SCHEMA %s", quote_identifier(name)));
    } else {
        visit_references(search, class_id, object_id);
        visit_described(search, class_id, object_id);
    }
}

List *find_needed_objects(Oid relid, const List *shipped)
{
    Search search = {NIL, NIL, shipped};
    ListCell *cell;
    foreach (cell, table_tree(relid, NoLock)) {
        Oid member = lfirst_oid(cell);
        visit_references(&search, RelationRelationId, member);
        SqlRows parts = query_router(parts_query, 1, &member);
        for (int i = 0; i < parts.count; i++)
            visit_references(&search, atooid(parts.values[i][0]), atooid(parts.values[i][1]));
    }
    return search.objects;
}

List *find_shipped_objects()
{
    Search search = {NIL, NIL, NIL};
    ListCell *cell;
    foreach (cell, list_shipped_objects()) {
        const ShippedObject *object = static_cast<ShippedObject *>(lfirst(cell));
        visit(&search, object->class_id, object->object_id);
    }
    SqlRows extensions = query_router("SELECT e.oid FROM shardwise.shipped_extension s "
                                      "JOIN pg_extension e ON e.extname = s.extension");
    for (int i = 0; i < extensions.count; i++)
        visit(&search, ExtensionRelationId, atooid(extensions.values[i][0]));
    return search.objects;
}

List *find_objects_of(Oid class_id, Oid object_id)
{
    Search search = {NIL, NIL, NIL};
    visit(&search, class_id, object_id);
    return search.objects;
}

List *find_objects_under(Oid class_id, Oid object_id, Oid owner_class, Oid owner)
{
    Search search = {NIL, NIL, NIL};
    mark_visited(&search, owner_class, owner);
    visit_references(&search, class_id, object_id);
    return search.objects;
}

List *find_casts_of_function(Oid function)
{
    Search search = {NIL, NIL, NIL};
    visit_all(&search, query_router(function_casts_query, 1, &function));
    return search.objects;
}

List *find_members_of_family(Oid family)
{
    Search search = {NIL, NIL, NIL};
    const Oid arguments[] = {OperatorFamilyRelationId, family};
    mark_visited(&search, OperatorFamilyRelationId, family);
    visit_all(&search, query_router(members_query, 2, arguments));
    return search.objects;
}

static bool visit_function(Oid function, void *search)
{
    visit(static_cast<Search *>(search), ProcedureRelationId, function);
    return false;
}

static bool visit_expression(Node *node, void *search)
{
    if (node == nullptr)
        return false;
    check_functions_in_node(node, visit_function, search);
    if (!IsA(node, List))
        visit(static_cast<Search *>(search), TypeRelationId, exprType(node));
    return expression_tree_walker(node, (bool (*)())visit_expression, search);
}

List *find_objects_of_expression(Node *expr)
{
    Search search = {NIL, NIL, NIL};
    visit_expression(expr, &search);
    return search.objects;
}

void create_needed_objects(const Target *target, const List *objects)
{
    Connection *shard = target->connection;
    ListCell *cell;
    foreach (cell, objects) {
        const NeededObject *object = static_cast<const NeededObject *>(lfirst(cell));
        PGresult *state = run_command(shard, object->state_sql);
        bool exists = PQntuples(state) == 1 && strcmp(PQgetvalue(state, 0, 0), "t") == 0;
        char *definition = exists ? pstrdup(PQgetvalue(state, 0, 1)) : nullptr;
        if (!exists && object->create_sql != nullptr) {
            run_command(shard, object->create_sql);
            set_object_access(target, object->class_id, object->object_id);
        }
        if (!exists)
            continue;
        if (object->create_sql == nullptr || object->class_id == NamespaceRelationId)
            continue;
        SqlRows own = query_router(object->state_sql);
        if (strcmp(definition, own.values[0][1]) != 0)
            ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
                            errmsg("%s exists on shard \"%s\" with another definition",
                                   object->description, connection_shard_name(shard)),
                            errhint("Drop or rename it there, or make both definitions alike.")));
    }
}

void record_shipped_objects(const List *objects)
{
    ListCell *cell;
    foreach (cell, objects) {
        const NeededObject *object = static_cast<const NeededObject *>(lfirst(cell));
        if (object->create_sql != nullptr)
            insert_shipped_object(object->class_id, object->object_id);
    }
}

} // namespace shardwise
