// Runs one statement file in one mode on both servers and compares answer by answer.
#pragma once

#include "report.hpp"
#include "session.hpp"

namespace shardwise::diff
{

struct Mode {
    Protocol protocol;
    bool binary;
    const char *name;
};

// All modes: each protocol with text results, and binary ones where it has them.
const std::vector<Mode> &all_modes();

class FileRunner
{
public:
    FileRunner(Server &router, Server &plain, bool self_test, const Mode &mode, Report &report);

    // Runs the statements of one section.
    void run(const StatementFile &file, Section section);

private:
    Server &plain_server_;
    Session router_, plain_;
    bool has_extension_, self_test_;
    const Mode &mode_;
    Report &report_;
    std::string subject_;

    void run_statement(const Statement &statement);
    void run_one_sided(const Statement &statement);
    void run_setup(const Statement &statement);
    void run_refused(const Statement &statement);
    void refuse(const Statement &statement);
    void run_compared(const Statement &statement);
    void run_simple(const Statement &statement);
    void run_extended(const Statement &statement);
    void run_prepared(const Statement &statement);
    Outcome run_alone(Session &session, const Statement &statement);
    bool execute_once(const std::string &name, const Statement &statement, bool undone);
    void command_on_both(const std::string &sql);
    bool judge(const Statement &statement, std::vector<std::string> differences);
    bool compare(const Statement &statement, const Outcome &router, const Outcome &plain);
};

} // namespace shardwise::diff
