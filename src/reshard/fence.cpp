#include "pg/pg.hpp"

#include "reshard/fence.hpp"
#include "reshard/move_tables.hpp"
#include "reshard/replication.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

constexpr const char *lock_patience = "SET LOCAL lock_timeout = '300ms'; "
                                      "SET LOCAL deadlock_timeout = '10ms'";

// The two halves of the advisory lock's key: this router, and the move.
char *lock_key(const RunningMove *move)
{
    unsigned int router = 0;
    (void)sscanf(move->object, "shardwise_%8x", &router);
    return psprintf("%d, %d", static_cast<int>(router), move->id);
}

// Not a snapshot but the sequence itself tells whether the fence is shut: a writer whose statement
// began before the swap sees it too.
char *fence_function(const RunningMove *move)
{
    const char *o = move->object;
    return format_sql(
        "CREATE SEQUENCE IF NOT EXISTS %s.fence_shut MINVALUE 0 START 0; "
        "CREATE OR REPLACE FUNCTION %s.fence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = pg_catalog AS $fence$ BEGIN "
        "PERFORM pg_advisory_xact_lock_shared(%s); "
        "IF (SELECT last_value = 1 FROM %s.fence_shut) THEN "
        "RAISE EXCEPTION 'rows of this key range have moved to another shard' "
        "USING ERRCODE = 'serialization_failure', HINT = 'Write through the router.'; END IF; "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $fence$",
        o, o, lock_key(move), o);
}

bool fence_stands(const RunningMove *move, ShardSession *s)
{
    return run_valuef(s, "SELECT 1 FROM pg_trigger WHERE tgname = %s AND tgrelid = %s::regclass",
                      quote_literal_cstr(psprintf("%s_i", move->object)),
                      quote_literal_cstr(((MoveTable *)llast(move->tables))->name)) != nullptr;
}

} // namespace

void build_fence(const RunningMove *move, ShardSession *s)
{
    if (fence_stands(move, s))
        return;
    (void)run(s, fence_function(move));
    char *triggers = join_tables(move, "; ", [move](const MoveTable *t) {
        const char *o = move->object;
        return format_sql("CREATE TRIGGER %s_i BEFORE INSERT ON %s FOR EACH ROW WHEN (%s) "
                          "EXECUTE FUNCTION %s.fence(); "
                          "CREATE TRIGGER %s_u BEFORE UPDATE ON %s FOR EACH ROW WHEN (%s OR %s) "
                          "EXECUTE FUNCTION %s.fence(); "
                          "CREATE TRIGGER %s_d BEFORE DELETE ON %s FOR EACH ROW WHEN (%s) "
                          "EXECUTE FUNCTION %s.fence(); "
                          "CREATE TRIGGER %s_t BEFORE TRUNCATE ON %s FOR EACH STATEMENT "
                          "EXECUTE FUNCTION %s.fence()",
                          o, t->name, t->new_filter, o, o, t->name, t->old_filter, t->new_filter, o,
                          o, t->name, t->old_filter, o, o, t->name, o);
    });
    runf(s, "%s; %s", lock_patience, triggers);
}

void close_fence(const RunningMove *move, ShardSession *s, TimestampTz deadline)
{
    // Somewhat less than there is: its error, which says why, has to arrive. PostgreSQL takes 0 for
    // "no limit".
    long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
    left = std::max(1L, left - left / 8);
    runf(s,
         "SET LOCAL lock_timeout = '%ldms'; SET LOCAL deadlock_timeout = '10s'; "
         "SELECT pg_advisory_lock(%s)",
         left, lock_key(move));
}

void release_fence(const RunningMove *move, ShardSession *s)
{
    shut_fence(move, s);
    runf(s, "SELECT pg_advisory_unlock(%s)", lock_key(move));
}

void shut_fence(const RunningMove *move, ShardSession *s)
{
    if (run_valuef(s, "SELECT to_regclass('%s.fence_shut')", move->object) != nullptr)
        runf(s, "SELECT setval('%s.fence_shut', 1)", move->object);
}

void remove_fence(const RunningMove *move, ShardSession *s)
{
    ListCell *cell;
    foreach (cell, move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        Rows rows = runf(s,
                         "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass(%s) AND "
                         "tgname = ANY (ARRAY['%s_i', '%s_u', '%s_d', '%s_t', '%s_w']) AND "
                         "tgparentid = 0",
                         quote_literal_cstr(table->name), move->object, move->object, move->object,
                         move->object, move->object);
        // Dropping waits for readers; one table after the other, others queue for a moment only.
        for (int i = 0; i < rows.count; i++)
            runf(s, "%s; DROP TRIGGER %s ON %s", lock_patience, rows.values[i][0], table->name);
    }
}

} // namespace shardwise
