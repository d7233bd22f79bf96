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

// A trigger, and one of the events that it fires before: what one companion is for.
struct Checked {
    char *trigger;
    char *event; // as SQL names it
};

// Those of the table's own triggers, or of one of them, that may change a key.
List *find_checked(Oid relid, Oid trigger)
{
    const Table *table = find_table(relid);
    if (table == nullptr || table->is_reference)
        return NIL;
    const Oid arguments[] = {relid, trigger};
    constexpr int before_row = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_ROW;
    SqlRows rows = query_router(
        psprintf("SELECT tgname, event FROM pg_trigger, (VALUES ('insert', %d), ('update', %d)) "
                 "AS e (event, bit) WHERE tgrelid = $1 AND $2 IN (0, oid) AND NOT tgisinternal "
                 "AND tgparentid = 0 AND tgtype & %d = %d AND tgtype & bit <> 0 "
                 "ORDER BY tgname, event",
                 TRIGGER_TYPE_INSERT, TRIGGER_TYPE_UPDATE, before_row, before_row),
        2, arguments);
    List *found = NIL;
    for (int i = 0; i < rows.count; i++) {
        Checked *checked = (Checked *)palloc(sizeof(Checked));
        *checked = {rows.values[i][0], rows.values[i][1]};
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

char *creation_sql(const Table *table, const Checked *checked)
{
    return psprintf("CREATE TRIGGER %s AFTER %s ON %s FOR EACH ROW WHEN (%s) "
                    "EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
                    companion(checked->event, checked->trigger), checked->event,
                    qualified_table_name(table->relid),
                    condition_sql(table, strcmp(checked->event, "update") == 0));
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
    foreach (cell, triggers)
        statements = lappend(statements, creation_sql(table, (const Checked *)lfirst(cell)));
    return statements;
}

List *drop_key_check_sql(Oid relid, Oid trigger)
{
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, find_checked(relid, trigger)) {
        const Checked *checked = (const Checked *)lfirst(cell);
        statements = lappend(statements, psprintf("DROP TRIGGER IF EXISTS %s ON %s",
                                                  companion(checked->event, checked->trigger),
                                                  qualified_table_name(relid)));
    }
    return statements;
}

List *rename_key_check_sql(Oid relid, Oid trigger, const char *new_name)
{
    List *statements = NIL;
    ListCell *cell;
    foreach (cell, find_checked(relid, trigger)) {
        const Checked *checked = (const Checked *)lfirst(cell);
        statements = lappend(statements, psprintf("ALTER TRIGGER %s ON %s RENAME TO %s",
                                                  companion(checked->event, checked->trigger),
                                                  qualified_table_name(relid),
                                                  companion(checked->event, new_name)));
    }
    return statements;
}

} // namespace shardwise
