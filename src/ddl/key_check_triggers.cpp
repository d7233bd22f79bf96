#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_check.hpp"
#include "ddl/catalog_rows.hpp"
#include "ddl/key_check_triggers.hpp"
#include "ddl/spi.hpp"
#include "pg/names.hpp"
#include "pg/triggers.hpp"

extern "C" {
#include "catalog/pg_trigger.h"
#include "common/md5.h"
}

namespace shardwise
{

namespace
{

struct Checked {
    char *trigger;
    bool on_insert, on_update;
};

// The table's own triggers, or one of them, that may change a key.
List *find_checked(Oid relid, Oid trigger)
{
    const Table *table = find_table(relid);
    if (table == nullptr || table->is_reference)
        return NIL;
    const Oid types[] = {OIDOID, OIDOID};
    const Datum values[] = {ObjectIdGetDatum(relid), ObjectIdGetDatum(trigger)};
    constexpr int before_row = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_ROW;
    SqlRows rows = query_router_with(
        psprintf("SELECT tgname, tgtype & %d <> 0, tgtype & %d <> 0 FROM pg_trigger "
                 "WHERE tgrelid = $1 AND $2 IN (0, oid) AND NOT tgisinternal AND tgparentid = 0 "
                 "AND tgtype & %d = %d AND tgtype & %d <> 0 ORDER BY tgname",
                 TRIGGER_TYPE_INSERT, TRIGGER_TYPE_UPDATE, before_row, before_row,
                 TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE),
        2, types, values);
    List *found = NIL;
    for (int i = 0; i < rows.count; i++) {
        Checked *checked = (Checked *)palloc(sizeof(Checked));
        char **row = rows.values[i];
        *checked = {row[0], row[1][0] == 't', row[2][0] == 't'};
        found = lappend(found, checked);
    }
    return found;
}

char *companion(const char *event, const char *trigger)
{
    char hash[33];
    const char *failure = nullptr;
    if (!pg_md5_hash(trigger, strlen(trigger), hash, &failure))
        elog(ERROR, "could not compute a hash: %s", failure);
    return psprintf("shardwise_%s_key_%s", event, hash);
}

// Statements made of a format with two names, of a companion and its table.
void append_for(List **statements, const List *triggers, const char *format, Oid relid)
{
    const char *table = qualified_table_name(relid);
    ListCell *cell;
    foreach (cell, triggers) {
        const Checked *checked = (const Checked *)lfirst(cell);
        if (checked->on_insert)
            *statements = lappend(*statements,
                                  psprintf(format, companion("insert", checked->trigger), table));
        if (checked->on_update)
            *statements = lappend(*statements,
                                  psprintf(format, companion("update", checked->trigger), table));
    }
}

// The key's columns in the new or the old row.
void name_columns(const Table *table, const char *row, const char **columns)
{
    quote_key_columns(table, columns);
    for (int i = 0; i < table->nkeys; i++)
        columns[i] = psprintf("%s.%s", row, columns[i]);
}

// True where it does not raise an error, and then no function is called. What reads a setting is
// not computed when the trigger is made.
char *condition_sql(const Table *table, bool is_update)
{
    const char *columns[max_key_columns], *old[max_key_columns];
    name_columns(table, "NEW", columns);
    name_columns(table, "OLD", old);
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "CASE WHEN %s", is_update ? "(" : "");
    for (int i = 0; is_update && i < table->nkeys; i++)
        appendStringInfo(&sql, "%s%s IS DISTINCT FROM %s", i > 0 ? " OR " : "", columns[i], old[i]);
    appendStringInfo(&sql, "%s%s THEN (%s || NEW.tableoid::regclass::text)::bool ELSE false END",
                     is_update ? ") AND " : "", foreign_key_condition(table->keyspace, columns),
                     quote_literal_cstr(key_check_marker));
    return sql.data;
}

void append_creation(List **statements, const Table *table, const Checked *checked, bool is_update)
{
    const char *event = is_update ? "update" : "insert";
    *statements = lappend(
        *statements, psprintf("CREATE TRIGGER %s AFTER %s ON %s FOR EACH ROW WHEN (%s) "
                              "EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
                              companion(event, checked->trigger), event,
                              qualified_table_name(table->relid), condition_sql(table, is_update)));
}

} // namespace

List *key_check_sql(Oid relid, Oid trigger)
{
    const List *triggers = find_checked(relid, trigger);
    if (triggers == NIL)
        return NIL;
    if (!find_table(relid)->keyspace->checks_keys)
        mark_keys_checked(find_table(relid)->keyspace->id);
    const Table *table = find_table(relid);
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, triggers) {
        const Checked *checked = (const Checked *)lfirst(cell);
        if (checked->on_insert)
            append_creation(&statements, table, checked, false);
        if (checked->on_update)
            append_creation(&statements, table, checked, true);
    }
    return statements;
}

List *drop_key_check_sql(Oid relid, Oid trigger)
{
    List *statements = NIL;
    append_for(&statements, find_checked(relid, trigger), "DROP TRIGGER IF EXISTS %s ON %s", relid);
    return statements;
}

List *rename_key_check_sql(Oid relid, Oid trigger, const char *new_name)
{
    List *statements = NIL;
    const char *table = qualified_table_name(relid);
    ListCell *cell;
    foreach (cell, find_checked(relid, trigger)) {
        const Checked *checked = (const Checked *)lfirst(cell);
        for (const char *event : {"insert", "update"})
            if (event[0] == 'i' ? checked->on_insert : checked->on_update)
                statements = lappend(statements, psprintf("ALTER TRIGGER %s ON %s RENAME TO %s",
                                                          companion(event, checked->trigger), table,
                                                          companion(event, new_name)));
    }
    return statements;
}

} // namespace shardwise
