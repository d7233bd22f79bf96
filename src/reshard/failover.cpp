#include "pg/pg.hpp"

#include "reshard/failover.hpp"

namespace shardwise
{

namespace
{

// System identifier and timeline: a promotion begins a new timeline.
char *identify_server(ShardSession *s)
{
    char *server =
        run_value(s, "SELECT CASE WHEN NOT pg_is_in_recovery() THEN system_identifier || '/' || "
                     "left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END "
                     "FROM pg_control_system()");
    if (server == nullptr)
        ereport(ERROR,
                (errcode(ERRCODE_CANNOT_CONNECT_NOW),
                 errmsg("shard \"%s\" is a standby", NameStr(s->shard_name)),
                 errhint("Promote it, or let the shard's connection string lead to its primary.")));
    return server;
}

} // namespace

void note_servers(const RunningMove *move)
{
    catalogf("UPDATE shardwise.move SET source_server = %s, target_server = %s WHERE move_id = %d",
             quote_literal_cstr(identify_server(move->at_source)),
             quote_literal_cstr(identify_server(move->at_target)), move->id);
}

void compare_servers(RunningMove *move)
{
    char *source = identify_server(move->at_source);
    char *target = identify_server(move->at_target);
    Rows rows = catalogf("SELECT source_server <> %s, target_server <> %s FROM shardwise.move "
                         "WHERE move_id = %d",
                         quote_literal_cstr(source), quote_literal_cstr(target), move->id);
    auto is_true = [](const char *value) { return value != nullptr && value[0] == 't'; };
    move->source_changed = is_true(rows.values[0][0]);
    move->target_changed = is_true(rows.values[0][1]);
}

void renew_subscriptions(const RunningMove *move)
{
    Flow forward = forward_flow(move), back = back_flow(move);
    for (const Flow *flow : {&forward, &back})
        renew_subscription(flow);
}

} // namespace shardwise
