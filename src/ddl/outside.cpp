#include "pg/pg.hpp"

#include "ddl/ddl.hpp"
#include "ddl/outside.hpp"

namespace shardwise
{

struct Run {
    ShardOutcome *outcome;
    Session *session; // nullptr: it failed already
};

Session *start_outside_transaction(const Shard *shard, const char *sql, char **error)
{
    Session *session =
        open_session(stored_options(shard->server, GetUserId()), CurrentMemoryContext, error);
    if (session == nullptr)
        return nullptr;
    // The router's cancels it there, too.
    (void)run_in_session(session, "SET statement_timeout = 0");
    if (start_command(session, sql))
        return session;
    *error = pchomp(PQerrorMessage(session->conn));
    close_session(session);
    return nullptr;
}

static Run *start(int32 shard_id, const char *sql)
{
    const Shard *shard = find_shard(shard_id);
    Run *run = static_cast<Run *>(palloc0(sizeof(Run)));
    ShardOutcome *outcome = static_cast<ShardOutcome *>(palloc0(sizeof(ShardOutcome)));
    run->outcome = outcome;
    outcome->shard = pstrdup(NameStr(shard->name));
    outcome->sqlstate = pstrdup("08006");
    if (!OidIsValid(shard->server)) {
        outcome->error = pstrdup("The shard has no foreign server.");
        return run;
    }
    run->session = start_outside_transaction(shard, sql, &outcome->error);
    return run;
}

List *run_outside_transaction(const List *shard_ids, const List *commands)
{
    List *runs = NIL;
    List *outcomes = NIL;
    const ListCell *cell, *command;
    forboth (cell, shard_ids, command, commands)
        runs = lappend(runs, start(lfirst_int(cell), static_cast<char *>(lfirst(command))));
    foreach (cell, runs) {
        Run *run = static_cast<Run *>(lfirst(cell));
        if (run->session != nullptr) {
            SessionResult result = wait_for_command(run->session);
            run->outcome->ok = result.ok;
            run->outcome->error = result.error;
            run->outcome->answer = result.values != nullptr ? result.values[0] : nullptr;
            if (result.sqlstate != nullptr)
                run->outcome->sqlstate = result.sqlstate;
            close_session(run->session);
        }
        outcomes = lappend(outcomes, run->outcome);
    }
    return outcomes;
}

List *run_outside_transaction(const char *sql)
{
    List *shard_ids = all_shard_ids();
    List *commands = NIL;
    for (int i = 0; i < list_length(shard_ids); i++)
        commands = lappend(commands, const_cast<char *>(sql));
    return run_outside_transaction(shard_ids, commands);
}

void require_outcomes(const List *outcomes, const char *command, const char *hint)
{
    StringInfoData shards, details;
    initStringInfo(&shards);
    initStringInfo(&details);
    const char *sqlstate = nullptr;
    ListCell *cell;
    foreach (cell, outcomes) {
        const ShardOutcome *outcome = static_cast<ShardOutcome *>(lfirst(cell));
        if (outcome->ok)
            continue;
        sqlstate = sqlstate != nullptr ? sqlstate : outcome->sqlstate;
        appendStringInfo(&shards, "%s\"%s\"", shards.len > 0 ? ", " : "", outcome->shard);
        appendStringInfo(&details, "%s%s: %s", details.len > 0 ? "\n" : "", outcome->shard,
                         outcome->error != nullptr ? outcome->error : "no answer");
    }
    if (sqlstate != nullptr)
        ereport(ERROR, (errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3],
                                              sqlstate[4])),
                        errmsg("%s failed on shard %s", command, shards.data),
                        errdetail_internal("%s", details.data),
                        hint != nullptr ? errhint("%s", hint) : 0));
}

} // namespace shardwise
