// Changes of what tables on the shards need: functions, enums, domains, composite types,
// extensions.
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/columns.hpp"
#include "ddl/dependencies.hpp"
#include "ddl/forward.hpp"
#include "ddl/spi.hpp"

extern "C" {
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "parser/parse_func.h"
}

namespace shardwise
{

static Oid replaced_function(const CreateFunctionStmt *statement)
{
    if (!statement->replace)
        return InvalidOid;
    ObjectWithArgs *object = makeNode(ObjectWithArgs);
    object->objname = statement->funcname;
    ListCell *cell;
    foreach (cell, statement->parameters) {
        FunctionParameter *parameter = lfirst_node(FunctionParameter, cell);
        if (parameter->mode != FUNC_PARAM_OUT && parameter->mode != FUNC_PARAM_TABLE)
            object->objargs = lappend(object->objargs, parameter->argType);
    }
    Oid function = LookupFuncWithArgs(OBJECT_ROUTINE, object, true);
    return OidIsValid(function) && function_is_shipped(function) ? function : InvalidOid;
}

static void replace_function(Oid function)
{
    CommandCounterIncrement();
    SqlRows rows = query_router("SELECT pg_get_functiondef($1)", 1, &function);
    change_shards(rows.values[0][0]);
}

bool forward_create_function(const UtilityCall &call, CreateFunctionStmt *statement)
{
    Oid function = replaced_function(statement);
    if (!OidIsValid(function))
        return false;
    run_locally(call);
    replace_function(function);
    return true;
}

// CREATE OR REPLACE AGGREGATE of one that the shards have.
bool forward_create_aggregate(const UtilityCall &call, DefineStmt *statement)
{
    if (statement->kind != OBJECT_AGGREGATE || !statement->replace || statement->args == NIL)
        return false;
    ObjectWithArgs *object = makeNode(ObjectWithArgs);
    object->objname = statement->defnames;
    ListCell *cell;
    foreach (cell, linitial_node(List, statement->args))
        object->objargs = lappend(object->objargs, lfirst_node(FunctionParameter, cell)->argType);
    Oid aggregate = LookupFuncWithArgs(OBJECT_AGGREGATE, object, true);
    if (!OidIsValid(aggregate) || !function_is_shipped(aggregate))
        return false;
    run_locally(call);
    CommandCounterIncrement();
    change_shards(psprintf("CREATE OR REPLACE AGGREGATE %s", aggregate_definition(aggregate)));
    return true;
}

bool forward_alter_function(const UtilityCall &call, AlterFunctionStmt *statement)
{
    Oid function = shipped_routine(statement->objtype, (Node *)statement->func);
    if (!OidIsValid(function))
        return false;
    run_locally(call);
    replace_function(function);
    return true;
}

bool forward_alter_enum(const UtilityCall &call, AlterEnumStmt *original)
{
    Oid type = shipped_type(original->typeName);
    if (!OidIsValid(type))
        return false;
    AlterEnumStmt *statement = copy_node(original);
    run_locally(call);
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "ALTER TYPE %s ", format_type_be_qualified(type));
    if (statement->oldVal != nullptr) {
        appendStringInfo(&sql, "RENAME VALUE %s TO %s", quote_literal_cstr(statement->oldVal),
                         quote_literal_cstr(statement->newVal));
    } else {
        appendStringInfo(&sql, "ADD VALUE %s%s",
                         statement->skipIfNewValExists ? "IF NOT EXISTS " : "",
                         quote_literal_cstr(statement->newVal));
        if (statement->newValNeighbor != nullptr)
            appendStringInfo(&sql, " %s %s", statement->newValIsAfter ? "AFTER" : "BEFORE",
                             quote_literal_cstr(statement->newValNeighbor));
    }
    if (statement->oldVal != nullptr)
        forget_texts();
    change_shards(sql.data);
    return true;
}

static List *domain_constraints(Oid domain)
{
    SqlRows rows = query_router("SELECT oid FROM pg_constraint WHERE contypid = $1", 1, &domain);
    List *oids = NIL;
    for (int i = 0; i < rows.count; i++)
        oids = lappend_oid(oids, atooid(rows.values[i][0]));
    return oids;
}

static char *domain_default_clause(Oid domain)
{
    SqlRows rows = query_router(
        "SELECT coalesce('SET DEFAULT ' || pg_get_expr(typdefaultbin, 0), 'DROP DEFAULT') "
        "FROM pg_type WHERE oid = $1",
        1, &domain);
    return rows.values[0][0];
}

static char *new_constraint_clause(Oid constraint)
{
    SqlRows rows = query_router("SELECT format('ADD CONSTRAINT %I %s', conname, "
                                "pg_get_constraintdef(oid)) FROM pg_constraint WHERE oid = $1",
                                1, &constraint);
    return rows.values[0][0];
}

// After the router's part; nullptr where it changed nothing.
static char *domain_clause(const AlterDomainStmt *statement, Oid domain, Oid new_constraint)
{
    switch (statement->subtype) {
    case 'T':
        return domain_default_clause(domain);
    case 'N':
        return pstrdup("DROP NOT NULL");
    case 'O':
        return pstrdup("SET NOT NULL");
    case 'C':
        return OidIsValid(new_constraint) ? new_constraint_clause(new_constraint) : nullptr;
    case 'X':
        return psprintf("DROP CONSTRAINT IF EXISTS %s%s", quote_identifier(statement->name),
                        statement->behavior == DROP_CASCADE ? " CASCADE" : "");
    case 'V':
        return psprintf("VALIDATE CONSTRAINT %s", quote_identifier(statement->name));
    default:
        elog(ERROR, "unknown form of ALTER DOMAIN: %c", statement->subtype);
    }
}

bool forward_alter_domain(const UtilityCall &call, AlterDomainStmt *original)
{
    Oid domain = shipped_type(original->typeName);
    if (!OidIsValid(domain))
        return false;
    AlterDomainStmt *statement = copy_node(original);
    List *before = domain_constraints(domain);
    run_locally(call);
    CommandCounterIncrement();
    List *added = list_difference_oid(domain_constraints(domain), before);
    Oid constraint = added != NIL ? linitial_oid(added) : InvalidOid;
    char *clause = domain_clause(statement, domain, constraint);
    if (clause == nullptr)
        return true;
    Management management = begin_ddl();
    if (OidIsValid(constraint))
        create_objects_on(management.targets, find_objects_under(ConstraintRelationId, constraint,
                                                                 TypeRelationId, domain));
    use_session_settings(&management);
    run_on_targets(management.targets,
                   psprintf("ALTER DOMAIN %s %s", format_type_be_qualified(domain), clause));
    end_management(&management);
    return true;
}

static char *attribute_clause(Oid relid, const AlterTableCmd *part)
{
    const char *cascade = part->behavior == DROP_CASCADE ? " CASCADE" : "";
    ColumnDefinition column;
    switch (part->subtype) {
    case AT_AddColumn:
        column = read_column(relid, castNode(ColumnDef, part->def)->colname);
        return psprintf("ADD ATTRIBUTE %s %s%s", column.name, column.type, cascade);
    case AT_AlterColumnType:
        column = read_column(relid, part->name);
        return psprintf("ALTER ATTRIBUTE %s TYPE %s%s", column.name, column.type, cascade);
    case AT_DropColumn:
        return psprintf("DROP ATTRIBUTE %s%s%s", part->missing_ok ? "IF EXISTS " : "",
                        quote_identifier(part->name), cascade);
    default:
        return nullptr; // the owner
    }
}

// ALTER TYPE of a composite type.
bool forward_alter_composite(const UtilityCall &call, AlterTableStmt *original)
{
    Oid relid = RangeVarGetRelid(original->relation, NoLock, true);
    Oid type = get_rel_type_id(relid);
    if (!OidIsValid(type) || !is_shipped_object(TypeRelationId, type))
        return false;
    AlterTableStmt *statement = copy_node(original);
    run_locally(call);
    CommandCounterIncrement();
    StringInfoData clauses;
    initStringInfo(&clauses);
    ListCell *cell;
    foreach (cell, statement->cmds) {
        char *clause = attribute_clause(relid, lfirst_node(AlterTableCmd, cell));
        if (clause != nullptr)
            appendStringInfo(&clauses, "%s%s", clauses.len > 0 ? ", " : "", clause);
    }
    if (clauses.len == 0)
        return true;
    Management management = begin_ddl();
    create_objects_on(management.targets,
                      find_objects_under(RelationRelationId, relid, TypeRelationId, type));
    run_on_targets(management.targets,
                   psprintf("ALTER TYPE %s %s", format_type_be_qualified(type), clauses.data));
    end_management(&management);
    return true;
}

// What ALTER TYPE ... SET has set, as the catalog has it now.
static char *base_type_clause(Oid type, const List *options)
{
    SqlRows rows = query_router(R"(
SELECT CASE typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' ELSE 'main' END,
    typreceive, typsend, typmodin, typmodout, typanalyze, typsubscript FROM pg_type WHERE oid = $1)",
                                1, &type);
    static const char *const names[] = {"storage",    "receive", "send",     "typmod_in",
                                        "typmod_out", "analyze", "subscript"};
    StringInfoData clause;
    initStringInfo(&clause);
    ListCell *cell;
    foreach (cell, options)
        for (size_t i = 0; i < lengthof(names); i++)
            if (strcmp(lfirst_node(DefElem, cell)->defname, names[i]) == 0) {
                const char *value = rows.values[0][i];
                appendStringInfo(&clause, "%s%s = %s", clause.len > 0 ? ", " : "", names[i],
                                 strcmp(value, "-") == 0 ? "NONE" : value);
            }
    return clause.data;
}

bool forward_alter_base_type(const UtilityCall &call, AlterTypeStmt *original)
{
    Oid type = shipped_type(original->typeName);
    if (!OidIsValid(type))
        return false;
    AlterTypeStmt *statement = copy_node(original);
    run_locally(call);
    CommandCounterIncrement();
    const List *functions = find_objects_under(TypeRelationId, type, TypeRelationId, type);
    Management management = begin_ddl();
    char *clause = base_type_clause(type, statement->options);
    create_objects_on(management.targets, functions);
    run_on_targets(management.targets,
                   psprintf("ALTER TYPE %s SET (%s)", format_type_be_qualified(type), clause));
    end_management(&management);
    return true;
}

// A cast by a function that the shards have: they get expressions of that function as casts.
bool forward_create_cast(const UtilityCall &call, CreateCastStmt *statement)
{
    if (statement->func == nullptr)
        return false;
    Oid function = LookupFuncWithArgs(OBJECT_FUNCTION, statement->func, true);
    if (!OidIsValid(function) || !is_shipped_object(ProcedureRelationId, function))
        return false;
    run_locally(call);
    CommandCounterIncrement();
    Management management = begin_ddl();
    create_objects_on(management.targets, find_casts_of_function(function));
    end_management(&management);
    return true;
}

char *if_object_exists(const char *command)
{
    return psprintf("DO %s",
                    quote_literal_cstr(psprintf(
                        "BEGIN %s; EXCEPTION WHEN undefined_object THEN NULL; END", command)));
}

char *if_extension_exists(const char *extension, const char *command)
{
    char *block = psprintf(
        "BEGIN IF EXISTS (SELECT FROM pg_extension WHERE extname = %s) THEN %s; END IF; END",
        quote_literal_cstr(extension), command);
    return psprintf("DO %s", quote_literal_cstr(block));
}

// ALTER EXTENSION UPDATE, on the shards that have the extension.
bool forward_alter_extension(const UtilityCall &call, AlterExtensionStmt *statement)
{
    Oid extension = get_extension_oid(statement->extname, true);
    if (!OidIsValid(extension) || strcmp(statement->extname, "shardwise") == 0 ||
        list_distributions() == NIL)
        return false;
    char *name = pstrdup(statement->extname);
    run_locally(call);
    CommandCounterIncrement();
    SqlRows rows = query_router("SELECT format('ALTER EXTENSION %I UPDATE TO %L', extname, "
                                "extversion) FROM pg_extension WHERE oid = $1",
                                1, &extension);
    change_shards(if_extension_exists(name, rows.values[0][0]));
    CacheInvalidateRelcacheByRelid(
        catalog_table_oid("shipped_extension")); // it may have new functions
    return true;
}

} // namespace shardwise
