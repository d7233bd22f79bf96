#include "comparison.hpp"

#include <algorithm>

namespace shardwise::random_queries
{

namespace
{

constexpr const char *canceled = "57014";
constexpr const char *refused = "0A000";

// Of a table: each row as a VALUES list. A generated column's value is in a comment, for comparison
// alone.
std::string rows_query(const Table &table)
{
    std::string format, columns;
    for (const Column &column : table.columns) {
        format += format.empty() ? "" : ", ";
        format += column.is_generated ? "DEFAULT /* %s */" : "%L";
        columns += ", " + column.name;
    }
    return "SELECT format('(" + format + ")'" + columns + ") FROM " + table.name;
}

std::vector<Row> rows_of_table(PGconn *connection, const Table &table)
{
    std::string sql = rows_query(table);
    diff::Result result(PQexec(connection, sql.c_str()));
    if (!succeeded(result)) {
        throw diff::ServerFailure(sql + ": " + PQerrorMessage(connection));
    }
    std::vector<Row> rows;
    for (int r = 0; r < PQntuples(result.get()); r++) {
        rows.push_back({"V" + std::string(PQgetvalue(result.get(), r, 0))});
    }
    std::sort(rows.begin(), rows.end());
    return rows;
}

// Violations, of which a statement of many rows may meet one or the other first.
bool may_depend_on_order(const std::string &state)
{
    std::string group = state.substr(0, 2);
    return group == "21" || group == "22" || group == "23" || group == "44";
}

std::string refusal(const diff::Result &result)
{
    const char *detail = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_DETAIL);
    return detail != nullptr ? detail : PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
}

} // namespace

bool Pair::both_connected() const
{
    return PQstatus(router_.get()) == CONNECTION_OK && PQstatus(plain_.get()) == CONNECTION_OK;
}

void Pair::run_on_both(const char *command)
{
    must_run(plain_.get(), command);
    must_run(router_.get(), command);
}

Pair::Ending Pair::run_statement(const RandomQuery &query, Protocol protocol, WriteCounts *counts,
                                 std::string *difference)
{
    diff::Result plain = run(plain_.get(), query, protocol);
    if (!succeeded(plain) && sqlstate(plain) == canceled) {
        counts->too_slow++;
        return Ending::Failed;
    }
    diff::Result router = run(router_.get(), query, protocol);
    if (!both_connected()) {
        *difference = "  a connection broke: " + describe(router) + "\n";
    } else if (succeeded(plain) && succeeded(router)) {
        *difference = compare_results(router.get(), plain.get(), query);
        counts->same += difference->empty();
        return Ending::Done;
    } else if (!succeeded(router) && sqlstate(router) == refused) {
        counts->refused++;
        counts->refusals[refusal(router)]++;
    } else if (!succeeded(plain) && !succeeded(router) && sqlstate(plain) == sqlstate(router)) {
        counts->both_fail++;
    } else if (!succeeded(plain) && !succeeded(router) && may_depend_on_order(sqlstate(plain)) &&
               may_depend_on_order(sqlstate(router))) {
        counts->fail_otherwise++;
    } else {
        *difference = "  router: " + describe(router) + "\n  plain: " + describe(plain) + "\n";
    }
    return Ending::Failed;
}

// A statement of its own runs in a block on the plain server, so that what the router refuses can
// be taken back.
std::string Pair::run_steps(const RandomTransaction &transaction, Protocol protocol,
                            WriteCounts *counts)
{
    bool is_block = !transaction.begin.empty(), has_savepoint = false, fails = false;
    must_run(plain_.get(), is_block ? transaction.begin : "BEGIN");
    if (is_block) {
        must_run(router_.get(), transaction.begin);
    }
    for (size_t i = 0; i < transaction.steps.size() && !fails; i++) {
        const Step &step = transaction.steps[i];
        if (step.kind != Step::Kind::Statement) {
            run_on_both(step.kind == Step::Kind::Savepoint    ? "SAVEPOINT s"
                        : step.kind == Step::Kind::RollbackTo ? "ROLLBACK TO s"
                                                              : "RELEASE s");
            has_savepoint = step.kind != Step::Kind::Release;
            continue;
        }
        std::string difference;
        Ending ending = run_statement(step.query, protocol, counts, &difference);
        if (!difference.empty()) {
            return step.query.sql + "\n" + difference;
        }
        if (ending == Ending::Failed && has_savepoint) {
            run_on_both("ROLLBACK TO s");
        } else {
            fails = ending == Ending::Failed;
        }
    }
    const char *end = transaction.commits && !fails ? "COMMIT" : "ROLLBACK";
    must_run(plain_.get(), end);
    if (is_block) {
        must_run(router_.get(), end);
    }
    return "";
}

std::string Pair::compare_tables(const Schema &schema)
{
    for (const Table &table : schema.tables) {
        std::string difference =
            compare_sorted(rows_of_table(router_.get(), table), rows_of_table(plain_.get(), table));
        if (!difference.empty()) {
            return "table " + table.name + " after the transaction\n" + difference;
        }
    }
    return "";
}

Answer Pair::compare(const RandomTransaction &transaction, const Schema &schema, Protocol protocol,
                     WriteCounts *counts)
{
    std::string difference;
    try {
        difference = run_steps(transaction, protocol, counts);
        if (difference.empty()) {
            difference = compare_tables(schema);
        }
    } catch (const diff::ServerFailure &failure) {
        difference = std::string("  ") + failure.what() + "\n";
    }
    if (!difference.empty()) {
        connect();
    }
    return {difference.empty() ? Verdict::Same : Verdict::Different, difference};
}

TableRows Pair::rows(const Schema &schema)
{
    TableRows rows;
    for (const Table &table : schema.tables) {
        rows.push_back(rows_of_table(plain_.get(), table));
    }
    return rows;
}

void Pair::put_back(const Schema &schema, const TableRows &rows)
{
    for (size_t i = 0; i < schema.tables.size(); i++) {
        if (schema.tables[i].is_view) {
            continue;
        }
        const std::string &name = schema.tables[i].name;
        std::string values;
        for (const Row &row : rows[i]) {
            values += (values.empty() ? "" : ", ") + row[0].substr(1);
        }
        run_on_both(("TRUNCATE " + name).c_str());
        if (!values.empty()) {
            run_on_both(("INSERT INTO " + name + " VALUES " + values).c_str());
        }
    }
}

std::string Pair::misplaced(const Schema &schema)
{
    std::string list;
    for (const Table &table : schema.tables) {
        std::string name = schema.name + "." + table.name, sql;
        if (table.is_reference) {
            sql = "SELECT 'reference table', count(DISTINCT result) FROM shardwise.run_on_shards("
                  "'SELECT md5(string_agg(t::text, '','' ORDER BY t::text)) FROM " +
                  name + " t') HAVING count(DISTINCT result) > 1 OR NOT bool_and(ok)";
        } else if (!table.distribution.empty()) {
            sql = "SELECT shard, misplaced FROM shardwise.verify_table('" + name +
                  "') WHERE misplaced > 0";
        } else {
            continue;
        }
        diff::Result result(PQexec(router_.get(), sql.c_str()));
        if (!succeeded(result)) {
            throw diff::ServerFailure(PQerrorMessage(router_.get()));
        }
        for (int r = 0; r < PQntuples(result.get()); r++) {
            list += "  " + table.name + ", " + PQgetvalue(result.get(), r, 0) + ": " +
                    PQgetvalue(result.get(), r, 1) + "\n";
        }
    }
    return list;
}

} // namespace shardwise::random_queries
