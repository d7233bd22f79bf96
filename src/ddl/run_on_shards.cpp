#include "pg/pg.hpp"

#include "ddl/catalog_rows.hpp"
#include "ddl/check_shard.hpp"
#include "ddl/ddl.hpp"
#include "ddl/outside.hpp"
#include "pg/arguments.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "tcop/utility.h"
}

namespace shardwise
{

static List *named_shards(ArrayType *names)
{
    Datum *elements;
    bool *nulls;
    int count;
    deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    List *ids = NIL;
    for (int i = 0; i < count; i++) {
        const char *name = nulls[i] ? "" : TextDatumGetCString(elements[i]);
        const Shard *shard = find_existing_shard(name);
        ids = list_append_unique_int(ids, shard->id);
    }
    return ids;
}

struct Run {
    char *shard;
    Session *session; // nullptr: not connected
    SessionResult result;
};

static Run *start_run(int32 shard_id, const char *command)
{
    Run *run = static_cast<Run *>(palloc0(sizeof(Run)));
    const Shard *shard = find_shard(shard_id);
    run->shard = pstrdup(NameStr(shard->name));
    run->session = start_outside_transaction(shard, command, &run->result.error);
    return run;
}

// The session ends now, and what it has not committed with it.
static void note_open_transaction(Run *run)
{
    PGconn *conn = run->session->conn;
    if (run->result.ok && conn != nullptr && PQtransactionStatus(conn) != PQTRANS_IDLE) {
        run->result.ok = false;
        run->result.error = pstrdup("rolled back: the command left a transaction open");
    }
}

static void put_row(ReturnSetInfo *out, const Run *run)
{
    const char *text = run->result.ok ? (run->result.values         ? run->result.values[0]
                                         : run->result.ncolumns > 0 ? nullptr
                                                                    : run->result.tag)
                                      : run->result.error;
    Datum values[] = {CStringGetTextDatum(run->shard), BoolGetDatum(run->result.ok),
                      text ? CStringGetTextDatum(text) : static_cast<Datum>(0)};
    bool nulls[] = {false, false, text == nullptr};
    tuplestore_putvalues(out->setResult, out->setDesc, values, nulls);
}

} // namespace shardwise

using namespace shardwise;

// run_on_shards(command, shards) -> setof (shard, ok, result). Each shard gets a session of its
// own, outside of the caller's transaction, so that VACUUM and CREATE INDEX CONCURRENTLY work.
SHARDWISE_FUNCTION(shardwise_run_on_shards)
{
    require_argument(fcinfo, 0, "command");
    PreventCommandIfReadOnly("run_on_shards()");
    const char *command = text_to_cstring(PG_GETARG_TEXT_PP(0));
    List *ids = PG_ARGISNULL(1) ? all_shard_ids() : named_shards(PG_GETARG_ARRAYTYPE_P(1));
    ListCell *cell;
    foreach (cell, ids)
        require_usable_server(find_shard(lfirst_int(cell)));

    InitMaterializedSRF(fcinfo, 0);
    ReturnSetInfo *out = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
    List *runs = NIL;
    foreach (cell, ids)
        runs = lappend(runs, start_run(lfirst_int(cell), command));
    foreach (cell, runs) {
        Run *run = static_cast<Run *>(lfirst(cell));
        if (run->session != nullptr) {
            run->result = wait_for_command(run->session);
            note_open_transaction(run);
            close_session(run->session);
        }
        put_row(out, run);
    }
    PG_RETURN_NULL();
}
