// A move's rows in the catalog.
#include "pg/pg.hpp"

#include "catalog/moves.hpp"
#include "pg/server_query.hpp"
#include "reshard/move.hpp"
#include "reshard/move_tables.hpp"

extern "C" {
#include "commands/async.h"
#include "executor/spi.h"
}

namespace shardwise
{

namespace
{

Rows copy_spi_rows(MemoryContext context)
{
    Rows rows = {};
    rows.affected = SPI_processed;
    if (SPI_tuptable == nullptr)
        return rows;
    rows.count = static_cast<int>(SPI_tuptable->numvals);
    rows.columns = SPI_tuptable->tupdesc->natts;
    rows.values = copy_spi_values(context);
    return rows;
}

Rows run_spi(const char *sql)
{
    MemoryContext caller = CurrentMemoryContext;
    int nest_level = NewGUCNestLevel();
    (void)set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_SAVE, true, 0, false);
    ServerQuery query = begin_server_query();
    int code = SPI_execute(sql, false, 0);
    if (code < 0)
        elog(ERROR, "catalog statement failed: %s", SPI_result_code_string(code));
    Rows rows = copy_spi_rows(caller);
    end_server_query(&query);
    AtEOXact_GUC(true, nest_level);
    MemoryContextSwitchTo(caller);
    return rows;
}

} // namespace

Rows catalog(const char *sql)
{
    Rows rows = {};
    in_transaction([&] { rows = run_spi(sql); });
    return rows;
}

Rows catalogf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = vformat_sql(format, arguments);
    va_end(arguments);
    return catalog(sql);
}

static MoveState state_of(const char *name)
{
    MoveState state;
    if (!find_move_state(name, &state))
        elog(ERROR, "unknown state \"%s\" of a move", name);
    return state;
}

static Rows read_row(int32 move_id)
{
    Rows rows =
        catalogf("SELECT m.plan_id, m.keyspace_id, m.source_shard, m.target_shard, m.state, "
                 "m.leftovers, p.wanted, p.verification, p.on_mismatch "
                 "FROM shardwise.move m JOIN shardwise.plan p USING (plan_id) WHERE m.move_id = %d",
                 move_id);
    if (rows.count == 0)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("move %d does not exist", move_id)));
    return rows;
}

static void fill(RunningMove *move, char **row)
{
    move->plan_id = atoi(row[0]);
    move->keyspace_id = atoi(row[1]);
    move->source = atoi(row[2]);
    move->target = atoi(row[3]);
    move->state = state_of(row[4]);
    move->leftovers = row[5][0] == 't';
    move->wanted = row[6];
    move->verification = row[7];
    move->on_mismatch = row[8];
}

RunningMove *load_move(int32 move_id)
{
    RunningMove *move = (RunningMove *)palloc0(sizeof(RunningMove));
    move->id = move_id;
    move->apply_errors = -1;
    fill(move, read_row(move_id).values[0]);
    move->object = psprintf("%s%d", move_object_prefix(), move_id);
    move->back = psprintf("%s_back", move->object);
    load_move_tables(move);
    return move;
}

void refresh_move(RunningMove *move)
{
    fill(move, read_row(move->id).values[0]);
}

void add_event(const RunningMove *move, const char *event, const char *detail)
{
    catalogf("INSERT INTO shardwise.move_event (move_id, event, detail) VALUES (%d, %s, %s)",
             move->id, quote_literal_cstr(event),
             detail != nullptr ? quote_literal_cstr(detail) : "NULL");
    ereport(LOG, (errmsg("shardwise move %d: %s%s%s", move->id, event, detail ? ": " : "",
                         detail ? detail : "")));
}

void set_state(RunningMove *move, MoveState state, const char *detail)
{
    const char *from = move_state_name(move->state);
    const char *to = move_state_name(state);
    if (!may_follow(move->state, state))
        elog(ERROR, "a move cannot go from state \"%s\" to \"%s\"", from, to);
    in_transaction([&] {
        Rows rows = catalogf(
            "UPDATE shardwise.move SET state = %s, state_since = clock_timestamp(), "
            "started_at = coalesce(started_at, clock_timestamp()), "
            "leftovers = leftovers OR %s, "
            "finished_at = CASE WHEN %s THEN clock_timestamp() END, "
            "error = CASE WHEN %s THEN error END WHERE move_id = %d AND state = %s",
            quote_literal_cstr(to), state == MoveState::Copying ? "true" : "false",
            is_final(state) || state == MoveState::Failed ? "true" : "false",
            state == MoveState::Failed ? "true" : "false", move->id, quote_literal_cstr(from));
        if (rows.affected != 1)
            ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                            errmsg("move %d is no longer in state \"%s\"", move->id, from)));
        add_event(move, to, detail);
        Async_Notify("shardwise_move", psprintf("%d %d %s", move->plan_id, move->id, to));
    });
    move->state = state;
    if (state == MoveState::Copying)
        move->leftovers = true;
}

} // namespace shardwise
