#include "pg/pg.hpp"

#include "catalog/gate.hpp"
#include "reshard/copy.hpp"
#include "reshard/copy_streams.hpp"
#include "reshard/failover.hpp"
#include "reshard/fresh_target.hpp"
#include "reshard/move_tables.hpp"
#include "reshard/replication.hpp"
#include "reshard/settings.hpp"
#include "reshard/throttle.hpp"

extern "C" {
#include "libpq/libpq-be-fe-helpers.h"
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

char *holder_name(const RunningMove *move)
{
    return psprintf("%s_hold", move->object);
}

bool wish_changed(const RunningMove *move)
{
    Rows rows = catalogf("SELECT 1 FROM shardwise.plan WHERE plan_id = %d AND wanted = 'run'",
                         move->plan_id);
    return rows.count == 0;
}

// Without its slot a copy is of no use. Asked often.
bool must_stop(const RunningMove *move)
{
    MemoryContext scratch =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise wish", ALLOCSET_SMALL_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(scratch);
    Flow flow = forward_flow(move);
    bool stop = wish_changed(move) || slot_is_lost(&flow);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(scratch);
    return stop;
}

// Leaves a session on the source that keeps the snapshot (and blocks TRUNCATE and VACUUM FULL,
// which do not heed it). A server notices that its client has gone only when it talks to it: this
// one talks to nobody, and ends by itself when the slot has gone.
char *hold_snapshot(const RunningMove *move, const char *snapshot)
{
    ShardSession *holder = open_shard_session(move->source);
    char *tables = join_tables(move, ", ", [](const MoveTable *table) { return table->name; });
    char *held =
        run_valuef(holder,
                   "SET application_name = %s; SET client_connection_check_interval = 0; "
                   "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT %s; "
                   "LOCK TABLE %s IN ACCESS SHARE MODE; SELECT pg_export_snapshot()",
                   quote_literal_cstr(holder_name(move)), quote_literal_cstr(snapshot), tables);
    send(holder,
         format_sql("DO $$ BEGIN WHILE EXISTS (SELECT FROM pg_catalog.pg_replication_slots "
                    "WHERE slot_name = %s) LOOP PERFORM pg_catalog.pg_sleep(0.5); END LOOP; END $$",
                    quote_literal_cstr(move->object)));
    while (PQflush(holder->conn) == 1)
        pause_for(1);
    // Ending the session in the ordinary way would cancel what it runs.
    libpqsrv_disconnect(holder->conn);
    holder->conn = holder->session->conn = nullptr;
    return held;
}

bool snapshot_is_held(const RunningMove *move, const char *snapshot)
{
    char *held = run_valuef(move->at_source,
                            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND "
                            "state = 'active'",
                            quote_literal_cstr(holder_name(move)));
    if (held == nullptr || snapshot == nullptr)
        return false;
    (void)run(move->at_source, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    PGresult *result = PQexec(move->at_source->conn, format_sql("SET TRANSACTION SNAPSHOT %s",
                                                                quote_literal_cstr(snapshot)));
    bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    (void)run(move->at_source, "ROLLBACK");
    return is_good;
}

// Pages of every table, as of now: rows in pages that come later are not of the snapshot.
void plan_chunks(const RunningMove *move)
{
    catalogf("DELETE FROM shardwise.move_chunk WHERE move_id = %d", move->id);
    ListCell *cell, *leaf_cell;
    foreach (cell, move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        foreach (leaf_cell, table->leaves) {
            const char *leaf = (const char *)lfirst(leaf_cell);
            Rows rows = runf(move->at_source,
                             "SELECT pg_relation_size(%s::regclass), "
                             "current_setting('block_size')",
                             quote_literal_cstr(leaf));
            int64 size = strtoll(rows.values[0][0], nullptr, 10);
            int64 page = strtoll(rows.values[0][1], nullptr, 10);
            int64 pages_a_chunk = std::max<int64>(1, move_chunk_size * int64{1024} / page);
            catalogf("INSERT INTO shardwise.move_chunk (move_id, relation, chunk, table_name, "
                     "lower_page, upper_page) "
                     "SELECT %d, %s, i, %s, i * " INT64_FORMAT ", least((i + 1) * " INT64_FORMAT
                     ", greatest(" INT64_FORMAT ", 1))"
                     " FROM generate_series(0, greatest((" INT64_FORMAT " + " INT64_FORMAT
                     " - 1) / " INT64_FORMAT " - 1, 0)) i",
                     move->id, quote_literal_cstr(leaf), quote_literal_cstr(table->name),
                     pages_a_chunk, pages_a_chunk, size / page, size / page, pages_a_chunk,
                     pages_a_chunk);
        }
    }
}

const MoveTable *find_move_table(const RunningMove *move, const char *name)
{
    ListCell *cell;
    foreach (cell, move->tables)
        if (strcmp(((const MoveTable *)lfirst(cell))->name, name) == 0)
            return (const MoveTable *)lfirst(cell);
    return nullptr;
}

// What the target has counts, not what the router noted: of the last chunks before a crash the
// target may have lost some (synchronous_commit is off), and the router may not have heard of
// others.
void read_progress(const RunningMove *move)
{
    Rows done = runf(move->at_target, "SELECT relation, chunk, rows FROM %s.chunk", move->object);
    StringInfoData there;
    initStringInfo(&there);
    for (int i = 0; i < done.count; i++)
        appendStringInfo(&there, ", (%s, %s)", quote_literal_cstr(done.values[i][0]),
                         done.values[i][1]);
    catalogf("UPDATE shardwise.move_chunk c SET rows = NULL, bytes = NULL, copied_at = NULL "
             "WHERE move_id = %d AND copied_at IS NOT NULL AND (relation, chunk) NOT IN "
             "(VALUES ('', -1)%s)",
             move->id, there.data);
    for (int i = 0; i < done.count; i++)
        catalogf("UPDATE shardwise.move_chunk SET rows = %s, copied_at = coalesce(copied_at, "
                 "clock_timestamp()) WHERE move_id = %d AND relation = %s AND chunk = %s AND "
                 "copied_at IS NULL",
                 done.values[i][2], move->id, quote_literal_cstr(done.values[i][0]),
                 done.values[i][1]);
}

List *chunks_to_copy(const RunningMove *move)
{
    read_progress(move);
    Rows rows = catalogf(
        "SELECT relation, chunk, lower_page, upper_page, table_name, "
        "chunk = max(chunk) OVER (PARTITION BY relation) AS is_last, copied_at IS NOT NULL "
        "FROM shardwise.move_chunk WHERE move_id = %d ORDER BY relation, chunk",
        move->id);
    List *chunks = NIL;
    for (int i = 0; i < rows.count; i++) {
        char **row = rows.values[i];
        const MoveTable *table = find_move_table(move, row[4]);
        if (row[6][0] == 't' || table == nullptr)
            continue;
        Chunk *chunk = (Chunk *)palloc0(sizeof(Chunk));
        *chunk = {table,
                  row[0],
                  atoi(row[1]),
                  static_cast<uint32>(strtoul(row[2], nullptr, 10)),
                  static_cast<uint32>(strtoul(row[3], nullptr, 10)),
                  row[5][0] == 't'};
        chunks = lappend(chunks, chunk);
    }
    return chunks;
}

// Puts everything in place and returns the snapshot to copy under.
char *prepare(RunningMove *move)
{
    Flow flow = forward_flow(move);
    uint64 deleted = 0;
    catalogf("UPDATE shardwise.move SET snapshot = NULL WHERE move_id = %d", move->id);
    release_snapshot(move);
    drop_subscription(&flow);
    drop_slot(&flow);
    drop_publication(&flow);
    create_helpers(move, move->at_source);
    create_helpers(move, move->at_target);
    // What an earlier try or a stray left would stop the copy.
    if (!delete_moved_rows(move, move->at_target, &deleted))
        return nullptr;
    runf(move->at_target, "DELETE FROM %s.chunk; UPDATE %s.marker SET n = 0", move->object,
         move->object); // on disk, with what was deleted
    if (deleted > 0)
        add_event(move, "cleared",
                  psprintf(UINT64_FORMAT " rows of the moving keys were on the "
                                         "target already and have been deleted",
                           deleted));
    note_servers(move);
    set_identities(move, move->at_source);
    create_publication(&flow);

    ShardSession *replication = open_shard_session(move->source, true);
    char *snapshot = create_slot_with_snapshot(&flow, replication);
    char *held = hold_snapshot(move, snapshot);
    close_shard_session(replication);
    plan_chunks(move);
    drop_indexes(move);
    catalogf("UPDATE shardwise.move SET snapshot = %s WHERE move_id = %d", quote_literal_cstr(held),
             move->id);
    return held;
}

} // namespace

void release_snapshot(const RunningMove *move)
{
    runf(move->at_source,
         "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s",
         quote_literal_cstr(holder_name(move)));
}

// Waits for what a step of a deletion owes to others. A copy that is to begin need not be waited
// for where the operator wants something else meanwhile; a clean-up goes on.
static bool pay_for_step(const RunningMove *move, Throttle *throttle, int64 pages, uint64 rows)
{
    constexpr uint64 bytes_a_row = 100;   // what the rate limit takes a deleted row for
    constexpr uint64 bytes_a_page = 2048; // to look at one is less than to copy it
    uint64 bytes = rows * bytes_a_row;
    throttle_work(throttle, bytes, pages * bytes_a_page + bytes);
    for (long pause; (pause = throttle_pause(throttle)) > 0; pause_for(pause))
        if (throttle->looked && move->state == MoveState::Copying && wish_changed(move))
            return false;
    return true;
}

// Deletes a table's moving rows block by block.
static bool delete_by_blocks(const RunningMove *move, ShardSession *s, const MoveTable *table,
                             const char *leaf, Throttle *throttle, uint64 *deleted)
{
    constexpr int64 most_pages = 1000;
    // A shard where the table was never made has no rows.
    char *size = run_valuef(s,
                            "SELECT pg_relation_size(to_regclass(%s)) / "
                            "current_setting('block_size')::int",
                            quote_literal_cstr(leaf));
    int64 pages = size != nullptr ? strtoll(size, nullptr, 10) : 0;
    for (int64 page = 0, step; page < pages; page += step) {
        step = std::clamp<int64>(throttle_portion(throttle) / BLCKSZ, 1, most_pages);
        uint64 rows = runf(s,
                           "DELETE FROM ONLY %s WHERE ctid >= '(" INT64_FORMAT
                           ",0)'::tid AND ctid < '(" INT64_FORMAT ",0)'::tid AND %s",
                           leaf, page, page + step, table->filter)
                          .affected;
        *deleted += rows;
        if (!pay_for_step(move, throttle, step, rows))
            return false;
        CHECK_FOR_INTERRUPTS();
    }
    return true;
}

bool delete_moved_rows(const RunningMove *move, ShardSession *s, uint64 *deleted)
{
    Throttle throttle = begin_throttle(move);
    bool goes_on = true;
    ListCell *cell, *leaf_cell;
    *deleted = 0;
    (void)run(s, "SET session_replication_role = replica; SET synchronous_commit = off");
    foreach (cell, move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        foreach (leaf_cell, table->leaves)
            goes_on = goes_on && delete_by_blocks(move, s, table, (const char *)lfirst(leaf_cell),
                                                  &throttle, deleted);
    }
    // The proof: one scan that sees everything. A copy that found nothing to clear needs none: a
    // row that got away from it would be in the way of the copy's.
    bool needs_proof = *deleted > 0 || move->state != MoveState::Copying;
    foreach (cell, move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        if (goes_on && needs_proof && table->leaves != NIL &&
            run_valuef(s, "SELECT to_regclass(%s)", quote_literal_cstr(table->name)) != nullptr)
            *deleted += runf(s, "DELETE FROM %s WHERE %s", table->name, table->filter).affected;
    }
    (void)run(s, "SET session_replication_role = origin; SET synchronous_commit = on");
    end_throttle(&throttle);
    return goes_on;
}

bool copy_rows(RunningMove *move)
{
    Rows rows = catalogf("SELECT snapshot FROM shardwise.move WHERE move_id = %d", move->id);
    char *snapshot = rows.values[0][0];
    if (!snapshot_is_held(move, snapshot)) {
        if (snapshot != nullptr)
            add_event(move, "copy restarted", "The snapshot on the source is gone.");
        snapshot = prepare(move);
        if (snapshot == nullptr)
            return false;
    }
    List *chunks = chunks_to_copy(move);
    if (chunks != NIL && !copy_chunks(move, snapshot, chunks, must_stop))
        return false;
    restore_indexes(move, move->at_target);
    // An ordinary commit flushes what is before it. Had the target crashed since the chunks, this
    // session would not be there any more.
    runf(move->at_target, "UPDATE %s.marker SET n = n WHERE id = 1", move->object);
    return true;
}

} // namespace shardwise
