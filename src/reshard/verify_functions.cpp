// verify_move() and verify_table().
#include "pg/pg.hpp"

#include "catalog/catalog.hpp"
#include "catalog/key_set.hpp"
#include "pg/names.hpp"
#include "pg/versions.hpp"
#include "reshard/verify.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace shardwise
{

namespace
{

void put_row(ReturnSetInfo *result, const char *relation, const char *shard, const int64 *counts)
{
    Datum values[7] = {CStringGetTextDatum(relation), CStringGetTextDatum(shard)};
    bool nulls[7] = {};
    for (int i = 0; i < 5; i++)
        values[2 + i] = Int64GetDatum(counts[i]);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

// The move's replication must stand; without it nothing says that both sides are to be equal.
Flow flow_of(RunningMove *move)
{
    bool forward = move->state >= MoveState::CatchingUp && move->state <= MoveState::Swapping;
    bool kept = move->state == MoveState::Failed && move->leftovers;
    if (!forward && !kept && move->state != MoveState::Swapped)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("move %d cannot be verified", move->id),
                        errdetail("It is in state \"%s\", in which its rows are not on two shards.",
                                  move_state_name(move->state))));
    move->at_source = open_shard_session(move->source);
    move->at_target = open_shard_session(move->target);
    return move->state == MoveState::Swapped ? back_flow(move) : forward_flow(move);
}

void require_plan_owner(int32 plan_id)
{
    Rows rows = catalogf("SELECT owner FROM shardwise.plan WHERE plan_id = %d", plan_id);
    Oid owner = static_cast<Oid>(strtoul(rows.values[0][0], nullptr, 10));
    if (!superuser() && !has_privs_of_role(GetUserId(), owner))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied for plan %d", plan_id)));
}

// Counts what a shard holds, without what a move has under way there, and how much of it another
// shard owns.
char *count_sql(const Table *table, const char *name, int32 shard_id)
{
    const char *columns[max_key_columns];
    quote_key_columns(table, columns);
    char *ghosts = ghost_filter_sql(table, table->keyspace, shard_id);
    char *owned = key_set_sql(table->keyspace, owned_key_set(table->keyspace, shard_id), columns);
    return format_sql("SELECT count(*), count(*) FILTER (WHERE NOT %s) FROM %s%s%s", owned, name,
                      ghosts != nullptr ? " WHERE " : "", ghosts != nullptr ? ghosts : "");
}

void require_distributed(Oid relid)
{
    const char *name = get_rel_name(relid);
    const Table *table = name != nullptr ? find_table(relid) : nullptr;
    if (table == nullptr || table->is_reference)
        ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                        errmsg("\"%s\" is not a distributed table", name ? name : "???")));
}

} // namespace

} // namespace shardwise

using namespace shardwise;

// verify_move(move_id) -> setof (relation, shard, rows, mismatched, missing, extra, misplaced)
SHARDWISE_FUNCTION(shardwise_verify_move)
{
    RunningMove *move = load_move(PG_GETARG_INT32(0));
    require_plan_owner(move->plan_id);
    Flow flow = flow_of(move);
    (void)verify_flow(&flow, false);
    InitMaterializedSRF(fcinfo, 0);
    Rows rows = catalogf("SELECT relation, rows, mismatched, missing, extra "
                         "FROM shardwise.move_verification WHERE move_id = %d ORDER BY relation",
                         move->id);
    for (int i = 0; i < rows.count; i++) {
        int64 counts[5] = {};
        for (int j = 0; j < 4; j++)
            counts[j] = strtoll(rows.values[i][j + 1], nullptr, 10);
        put_row((ReturnSetInfo *)fcinfo->resultinfo, rows.values[i][0],
                NameStr(flow.to->shard_name), counts);
    }
    PG_RETURN_NULL();
}

// verify_table(relation) -> setof (relation, shard, rows, mismatched, missing, extra, misplaced)
SHARDWISE_FUNCTION(shardwise_verify_table)
{
    Oid relid = PG_GETARG_OID(0);
    require_distributed(relid);
    if (!pg_class_ownercheck(relid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
    InitMaterializedSRF(fcinfo, 0);
    LockRelationOid(relid, AccessShareLock);
    require_distributed(relid); // still, when whoever held the lock has ended

    const char *name = qualified_table_name(relid);
    const Shard *const *shards;
    int n = list_shards(&shards);
    int32 *ids = (int32 *)palloc(sizeof(int32) * (n + 1));
    for (int i = 0; i < n; i++)
        ids[i] = shards[i]->id;
    ShardSession **sessions = (ShardSession **)palloc(sizeof(ShardSession *) * (n + 1));
    for (int i = 0; i < n; i++) { // all at the same time
        sessions[i] = open_shard_session(ids[i]);
        send(sessions[i], count_sql(find_table(relid), name, ids[i]));
    }
    for (int i = 0; i < n; i++) {
        Rows rows = receive(sessions[i]);
        int64 counts[5] = {strtoll(rows.values[0][0], nullptr, 10), 0, 0, 0,
                           strtoll(rows.values[0][1], nullptr, 10)};
        put_row((ReturnSetInfo *)fcinfo->resultinfo, name, NameStr(sessions[i]->shard_name),
                counts);
    }
    PG_RETURN_NULL();
}
