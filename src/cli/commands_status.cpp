// The whole: status, stats, in-doubt, recover, doctor, metrics.
#include "cli/commands.hpp"

#include <algorithm>
#include <iostream>

namespace shardwise::cli
{

namespace
{

constexpr const char *status_sql =
    "SELECT (SELECT count(*) FROM shardwise.shards) AS shards, "
    "(SELECT count(*) FROM shardwise.tables WHERE kind = 'distributed') AS distributed_tables, "
    "(SELECT count(*) FROM shardwise.tables WHERE kind = 'reference') AS reference_tables, "
    "(SELECT count(*) FROM shardwise.keyspaces) AS keyspaces, "
    "(SELECT count(*) FROM shardwise.plans WHERE state = 'running') AS running_plans, "
    "(SELECT count(*) FROM shardwise.plans WHERE state = 'swapped') AS plans_to_finish, "
    "(SELECT count(*) FROM shardwise.plans WHERE state = 'failed') AS failed_plans, "
    "(SELECT count(*) FROM shardwise.ghost_ranges) AS ghost_ranges";

// One thing that doctor looked at.
struct Diagnosis {
    std::string severity; // ok, warning, error
    std::string check;
    std::string detail;
};

class Doctor
{
public:
    explicit Doctor(Session &session) : session(session) {}

    std::vector<Diagnosis> examine()
    {
        shards();
        in_doubt();
        plans();
        moves();
        ghosts();
        return found;
    }

private:
    void add(const char *severity, const std::string &check, const std::string &detail)
    {
        found.push_back({severity, check, detail});
    }

    void shards()
    {
        Rows answers = session.query("SELECT shard, ok, result FROM "
                                     "shardwise.run_on_shards('SELECT 1') ORDER BY shard");
        std::vector<std::string> answering;
        for (size_t i = 0; i < answers.rows.size(); i++) {
            std::string shard = answers.value(i, "shard").value_or("?");
            if (answers.value(i, "ok") == "t")
                answering.push_back(shard);
            else
                add("error", "reachable",
                    "shard \"" + shard + "\": " + answers.value(i, "result").value_or(""));
        }
        if (answers.rows.empty())
            add("warning", "reachable", "there are no shards; see shardctl add-shard");
        else if (found.empty())
            add("ok", "reachable", std::to_string(answers.rows.size()) + " shards answer");
        for (const std::string &shard : answering)
            check(shard);
    }

    // What has changed there since it became a shard.
    void check(const std::string &shard)
    {
        Rows rows = session.query(
            "SELECT check_name, detail FROM shardwise.check_shard($1) WHERE NOT ok", {shard});
        for (size_t i = 0; i < rows.rows.size(); i++)
            add("warning", rows.value(i, "check_name").value_or("?"),
                "shard \"" + shard + "\": " + rows.value(i, "detail").value_or(""));
    }

    void in_doubt()
    {
        if (!session.has("in_doubt_transactions"))
            return;
        Rows rows = session.query("SELECT shard, count(*) AS count, min(prepared) AS since "
                                  "FROM shardwise.in_doubt_transactions GROUP BY shard");
        for (size_t i = 0; i < rows.rows.size(); i++)
            add("warning", "in_doubt",
                rows.value(i, "count").value_or("?") + " transactions are prepared on shard \"" +
                    rows.value(i, "shard").value_or("?") + "\" since " +
                    rows.value(i, "since").value_or("?") + "; see shardctl recover");
        if (rows.rows.empty())
            add("ok", "in_doubt", "no transaction is in doubt");
    }

    void plans()
    {
        Rows rows = session.query("SELECT plan_id, state, coalesce(error, '') AS error FROM "
                                  "shardwise.plans WHERE state IN ('failed', 'paused', 'swapped') "
                                  "ORDER BY plan_id");
        for (size_t i = 0; i < rows.rows.size(); i++) {
            std::string plan = rows.value(i, "plan_id").value_or("?");
            std::string state = rows.value(i, "state").value_or("?");
            if (state == "failed")
                add("error", "plans",
                    "plan " + plan + " failed: " + rows.value(i, "error").value_or("") +
                        "; see shardctl resume, shardctl cancel");
            else if (state == "paused")
                add("warning", "plans",
                    "plan " + plan + " is paused and keeps replication slots; see shardctl resume");
            else
                add("warning", "plans",
                    "plan " + plan + " has swapped and can be rolled back; see shardctl finish");
        }
        if (rows.rows.empty())
            add("ok", "plans", "no plan waits for its operator");
    }

    // What goes wrong again and again is the last that is known of a move.
    void moves()
    {
        Rows rows = session.query(
            "SELECT m.plan_id, m.move_id, coalesce(m.error, e.detail, '') AS error "
            "FROM shardwise.moves m, LATERAL (SELECT event, detail FROM shardwise.move_events e "
            "WHERE e.move_id = m.move_id ORDER BY event_id DESC LIMIT 1) e "
            "WHERE e.event IN ('retry', 'error', 'swap put off') ORDER BY m.move_id");
        for (size_t i = 0; i < rows.rows.size(); i++)
            add("warning", "moves",
                "move " + rows.value(i, "move_id").value_or("?") + " of plan " +
                    rows.value(i, "plan_id").value_or("?") +
                    " is tried again and again: " + rows.value(i, "error").value_or(""));
    }

    // Ghost ranges belong to moves that are not over.
    void ghosts()
    {
        Rows rows = session.query("SELECT (SELECT count(*) FROM shardwise.ghost_range) AS ghosts, "
                                  "(SELECT count(*) FROM shardwise.move WHERE state NOT IN "
                                  "('planned', 'done', 'cancelled', 'rolled_back')) AS moves");
        if (rows.value(0, "ghosts") != "0" && rows.value(0, "moves") == "0")
            add("error", "ghost_ranges",
                rows.value(0, "ghosts").value_or("?") +
                    " ghost ranges are left although no move is under way");
    }

    Session &session;
    std::vector<Diagnosis> found;
};

Exit doctor(Context &context)
{
    std::vector<Diagnosis> found = Doctor(context.session()).examine();
    if (context.json) {
        Json list = Json::array();
        for (const Diagnosis &diagnosis : found)
            list.push_back({{"severity", diagnosis.severity},
                            {"check_name", diagnosis.check},
                            {"detail", diagnosis.detail}});
        print_json(std::cout, list);
    } else {
        Rows rows;
        for (const char *name : {"severity", "check_name", "detail"})
            rows.columns.push_back({name, false});
        for (const Diagnosis &diagnosis : found)
            rows.rows.push_back({diagnosis.severity, diagnosis.check, diagnosis.detail});
        print_table(std::cout, rows, standard_output());
    }
    bool failed = std::any_of(found.begin(), found.end(), [](const Diagnosis &diagnosis) {
        return diagnosis.severity == "error";
    });
    return failed ? Exit::Findings : Exit::Success;
}

std::string escaped_label(const std::string &text)
{
    std::string out;
    for (char character : text) {
        if (character == '\\' || character == '"')
            out += '\\';
        out += character == '\n' ? ' ' : character;
    }
    return out;
}

// Columns that say whose figures a row has.
bool is_label(const std::string &column)
{
    for (const char *name : {"shard", "move_id", "plan_id", "source", "target", "state"})
        if (column == name)
            return true;
    return false;
}

// Prints number columns as metrics, others that identify the row as their labels (Prometheus text
// format 0.0.4).
void print_metrics(const std::string &prefix, const std::string &type, const Rows &rows)
{
    for (size_t i = 0; i < rows.columns.size(); i++) {
        if (!rows.columns[i].is_number || is_label(rows.columns[i].name) || rows.rows.empty())
            continue;
        std::string name = "shardwise_" + prefix + rows.columns[i].name;
        std::cout << "# TYPE " << name << ' ' << type << '\n';
        for (const auto &row : rows.rows) {
            if (!row[i])
                continue;
            std::string labels;
            for (size_t j = 0; j < rows.columns.size(); j++)
                if (is_label(rows.columns[j].name) && row[j])
                    labels += (labels.empty() ? "" : ",") + rows.columns[j].name + "=\"" +
                              escaped_label(*row[j]) + "\"";
            std::cout << name << (labels.empty() ? "" : "{" + labels + "}") << ' ' << *row[i]
                      << '\n';
        }
    }
}

Exit metrics(Context &context)
{
    Session &session = context.session();
    print_metrics("", "gauge", session.query(status_sql));
    print_metrics("shard_", "gauge",
                  session.query("SELECT name AS shard, weight, ranges, pins "
                                "FROM shardwise.shards ORDER BY shard_id"));
    if (session.has("moves"))
        print_metrics("move_", "gauge",
                      session.query("SELECT * FROM shardwise.moves WHERE state NOT IN ('planned', "
                                    "'done', 'cancelled', 'rolled_back') ORDER BY move_id"));
    if (session.has("stat_shards"))
        print_metrics("stat_", "counter", session.query("SELECT * FROM shardwise.stat_shards"));
    if (session.has("in_doubt_transactions"))
        print_metrics("", "gauge",
                      session.query("SELECT count(*) AS in_doubt_transactions "
                                    "FROM shardwise.in_doubt_transactions"));
    return Exit::Success;
}

} // namespace

void add_status_commands(Registry &registry)
{
    Context &context = registry.context;
    registry.add_show("status", "Count shards, tables, plans and what waits for you", status_sql);

    auto queries = std::make_shared<bool>(false);
    CLI::App *stats = registry.add("stats", "Show counters of each shard, or of each query");
    stats->add_flag("--queries", *queries, "By query instead of by shard");
    registry.run(stats, [&context, queries] {
        context.show(*queries ? "SELECT * FROM shardwise.stat_queries"
                              : "SELECT * FROM shardwise.stat_shards");
        return Exit::Success;
    });

    registry.add_show("in-doubt", "List transactions that an interrupted commit left prepared",
                      "SELECT * FROM shardwise.in_doubt_transactions");
    registry.add_show("recover", "Finish transactions that are in doubt",
                      "SELECT * FROM shardwise.recover_transactions()");

    CLI::App *examine = registry.add("doctor", "Look for what needs an operator");
    registry.run(examine, [&context] { return doctor(context); });
    CLI::App *export_metrics =
        registry.add("metrics", "Print gauges and counters in Prometheus' text format");
    registry.run(export_metrics, [&context] { return metrics(context); });
}

} // namespace shardwise::cli
