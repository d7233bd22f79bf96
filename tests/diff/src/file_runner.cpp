#include "file_runner.hpp"

#include "sql_scanner.hpp"

#include <algorithm>

namespace shardwise::diff
{

namespace
{

// The sixth execution is the first that may use a generic plan, the seventh uses it again.
constexpr int prepared_executions = 7;

const char *const feature_not_supported = "0A000";

bool is_query(const Statement &statement)
{
    static const std::set<std::string> words = {"SELECT", "VALUES", "TABLE",  "WITH", "(",
                                                "INSERT", "UPDATE", "DELETE", "MERGE"};
    return words.contains(first_word(statement.sql));
}

bool is_write(const Statement &statement)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "MERGE"};
    std::string first = first_word(statement.sql);
    return first != "SELECT" && first != "VALUES" && first != "TABLE" &&
           std::any_of(std::begin(words), std::end(words),
                       [&](const char *word) { return contains_word(statement.sql, word); });
}

// Replaces $n by the literals of the file, for the simple protocol.
std::string with_literals(const Statement &statement)
{
    std::string sql;
    for (size_t at = 0; at < statement.sql.size();) {
        Token t = scan_token(statement.sql, at);
        at += t.text.size();
        size_t number =
            t.kind == TokenKind::Parameter ? std::stoul(std::string(t.text.substr(1))) : 0;
        if (number > 0 && number <= statement.parameters.size()) {
            sql += statement.parameters[number - 1].literal;
        } else {
            sql += t.text;
        }
    }
    return sql;
}

bool is_refusal(const Outcome &outcome, const std::string &reason)
{
    return outcome.error && outcome.error->sqlstate == feature_not_supported &&
           (outcome.error->message + "\n" + outcome.error->detail + "\n" + outcome.error->hint)
                   .find(reason) != std::string::npos;
}

} // namespace

const std::vector<Mode> &all_modes()
{
    static const std::vector<Mode> modes = {{Protocol::Simple, false, "simple"},
                                            {Protocol::Extended, false, "extended"},
                                            {Protocol::Extended, true, "extended binary"},
                                            {Protocol::Prepared, false, "prepared"},
                                            {Protocol::Prepared, true, "prepared binary"}};
    return modes;
}

FileRunner::FileRunner(Server &router, Server &plain, bool self_test, const Mode &mode,
                       Report &report)
    : plain_server_(plain), router_(router), plain_(plain), has_extension_(router.has_extension()),
      self_test_(self_test), mode_(mode), report_(report)
{
}

void FileRunner::run(const StatementFile &file, Section section)
{
    for (const Statement &statement : file.statements) {
        if (statement.section == section) {
            subject_ = file.path + ":" + std::to_string(statement.line) + " [" + mode_.name + "]";
            run_statement(statement);
        }
    }
    router_.make_idle();
    plain_.make_idle();
}

void FileRunner::run_statement(const Statement &statement)
{
    if (statement.target != Target::Both) {
        run_one_sided(statement);
    } else if (statement.section != Section::Test) {
        run_setup(statement);
    } else if (statement.protocols.empty() || statement.protocols.contains(mode_.protocol)) {
        if (statement.refused && has_extension_) {
            run_refused(statement);
        } else {
            run_compared(statement);
        }
    }
}

void FileRunner::run_one_sided(const Statement &statement)
{
    if (statement.target == Target::Shardwise && !has_extension_) {
        return;
    }
    Session &session = statement.target == Target::Plain ? plain_ : router_;
    Outcome outcome = session.simple(statement.sql);
    if (outcome.error) {
        report_.add(
            subject_, statement.sql,
            {outcome.error->sqlstate + " " + outcome.error->message + " " + outcome.error->detail});
    }
}

// Setup succeeds on both sides; only its failures count.
void FileRunner::run_setup(const Statement &statement)
{
    for (Session *session : {&router_, &plain_}) {
        Outcome outcome = session->simple(statement.sql, statement.copy_data);
        if (outcome.error) {
            report_.add(subject_, statement.sql,
                        {std::string(session == &router_ ? "router: " : "plain: ") +
                         outcome.error->sqlstate + " " + outcome.error->message + " " +
                         outcome.error->detail});
        }
    }
}

void FileRunner::command_on_both(const std::string &sql)
{
    router_.simple(sql);
    plain_.simple(sql);
}

Outcome FileRunner::run_alone(Session &session, const Statement &statement)
{
    if (mode_.protocol == Protocol::Simple) {
        return session.simple(with_literals(statement), statement.copy_data);
    }
    return session.extended(statement, mode_.binary);
}

// The plain server has an answer, and the router says that it has none: neither leaves a trace, not
// even in sequences, which no rollback turns back.
void FileRunner::run_refused(const Statement &statement)
{
    const auto sequences = plain_server_.query(
        "SELECT quote_literal(format('%I.%I', schemaname, sequencename)), "
        "coalesce(last_value, start_value), last_value IS NOT NULL FROM pg_sequences");
    refuse(statement);
    for (const auto &sequence : sequences) {
        plain_server_.query("SELECT setval(" + sequence[0] + ", " + sequence[1] + ", '" +
                            sequence[2] + "')");
    }
}

void FileRunner::refuse(const Statement &statement)
{
    const bool idle = plain_.is_idle();
    if (!idle) {
        command_on_both("SAVEPOINT shardwise_diff");
    } else {
        plain_.simple("BEGIN");
    }
    Outcome router = run_alone(router_, statement);
    Outcome plain = run_alone(plain_, statement);
    if (!idle) {
        command_on_both("ROLLBACK TO SAVEPOINT shardwise_diff");
        command_on_both("RELEASE SAVEPOINT shardwise_diff");
    } else {
        plain_.simple("ROLLBACK");
    }
    std::vector<std::string> differences;
    if (!is_refusal(router, *statement.refused)) {
        differences.push_back("expected to be refused with 0A000 and \"" + *statement.refused +
                              "\", but: " +
                              (router.error ? router.error->sqlstate + " " + router.error->message +
                                                  " (" + router.error->detail + ")"
                                            : "answered; remove expect-refused"));
    }
    if (plain.error) {
        differences.push_back("the plain server refuses as well: " + plain.error->message);
    }
    if (differences.empty()) {
        report_.add_refused(subject_, statement.sql);
    } else {
        report_.add(subject_, statement.sql, differences);
    }
}

void FileRunner::run_compared(const Statement &statement)
{
    switch (mode_.protocol) {
    case Protocol::Simple:
        run_simple(statement);
        break;
    case Protocol::Extended:
        run_extended(statement);
        break;
    case Protocol::Prepared:
        run_prepared(statement);
        break;
    }
}

void FileRunner::run_simple(const Statement &statement)
{
    std::string sql = with_literals(statement);
    compare(statement, router_.simple(sql, statement.copy_data),
            plain_.simple(sql, statement.copy_data));
}

void FileRunner::run_extended(const Statement &statement)
{
    compare(statement, router_.extended(statement, mode_.binary),
            plain_.extended(statement, mode_.binary));
}

// Writes are undone on all executions but the last, so that each finds the same rows.
void FileRunner::run_prepared(const Statement &statement)
{
    const std::string subject = subject_;
    const std::string name = "statement_" + std::to_string(statement.line);
    if (!is_query(statement)) {
        run_extended(statement);
        return;
    }
    Outcome router = router_.prepare(name, statement), plain = plain_.prepare(name, statement);
    if (router.error || plain.error) {
        compare(statement, router, plain);
        return;
    }
    std::vector<std::string> differences =
        compare_outcomes(router, plain, statement.compare, false);
    if (!differences.empty()) {
        subject_ = subject + " when described";
        judge(statement, std::move(differences));
        return;
    }
    const int executions = statement.once || plain_.is_failed() ? 1 : prepared_executions;
    for (int i = 1; i <= executions; i++) {
        subject_ = subject + " execution " + std::to_string(i);
        if (!execute_once(name, statement, i < executions && is_write(statement))) {
            break;
        }
    }
}

bool FileRunner::execute_once(const std::string &name, const Statement &statement, bool undone)
{
    const bool idle = plain_.is_idle();
    if (undone) {
        command_on_both(idle ? "BEGIN" : "SAVEPOINT shardwise_diff");
    }
    Outcome router = router_.execute_prepared(name, statement, mode_.binary);
    Outcome plain = plain_.execute_prepared(name, statement, mode_.binary);
    if (undone && idle) {
        command_on_both("ROLLBACK");
    } else if (undone) {
        command_on_both("ROLLBACK TO SAVEPOINT shardwise_diff");
        command_on_both("RELEASE SAVEPOINT shardwise_diff");
    }
    bool agree = compare(statement, router, plain);
    // An error leaves a transaction failed: running again would only say so.
    return agree && !(plain.error && plain_.is_failed());
}

bool FileRunner::compare(const Statement &statement, const Outcome &router, const Outcome &plain)
{
    bool ordered =
        statement.ordered.value_or(is_query(statement) && is_ordered_at_top(statement.sql));
    return judge(statement, compare_outcomes(router, plain, statement.compare, ordered));
}

bool FileRunner::judge(const Statement &statement, std::vector<std::string> differences)
{
    if (self_test_) {
        differences = unexpected(std::move(differences), statement.difference);
    }
    report_.add(subject_, statement.sql, differences);
    if (!differences.empty()) {
        // What follows is worth comparing only if both sides stand at the same point.
        if (router_.is_idle() != plain_.is_idle() || router_.is_failed() != plain_.is_failed()) {
            router_.make_idle();
            plain_.make_idle();
        }
    }
    return differences.empty();
}

} // namespace shardwise::diff
