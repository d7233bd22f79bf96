// Reads statement files: SQL separated by semicolons, with directives in comments (README.md).
#pragma once

#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace shardwise::diff
{

// A value for $n: the literal as written, and what a client would send for it.
struct Parameter {
    std::string literal;              // as SQL, with its cast
    std::optional<std::string> value; // text form; nothing is NULL
    std::string type;                 // empty: the server infers it
};

// Who runs a statement. Shardwise: the router, if it has the extension.
enum class Target { Both, Router, Plain, Shardwise };

// Which section of the file a statement stands in.
enum class Section { Setup, Test, Teardown };

// How far results are compared.
enum class Compare {
    All,
    Shape,   // names, types, tag and number of rows, but no values
    SqlState // of errors the SQLSTATE alone
};

enum class Protocol { Simple, Extended, Prepared };

struct Statement {
    int line = 0;
    std::string sql;
    std::vector<Parameter> parameters;
    Target target = Target::Both;
    Section section = Section::Test;
    Compare compare = Compare::All;
    std::optional<bool> ordered;           // nothing: an ORDER BY at the top decides
    bool once = false;                     // prepared mode runs it once instead of seven times
    std::set<Protocol> protocols;          // empty: all
    std::optional<std::string> refused;    // the router refuses it, naming this
    std::optional<std::string> difference; // self-test: the comparison must find this
    std::optional<std::string> copy_data;  // lines after COPY ... FROM STDIN
};

struct StatementFile {
    std::string path;
    std::vector<Statement> statements;
    std::optional<std::string> rows_difference; // self-test: the tables must differ by this
};

struct ParseError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Parses a file's text. Throws ParseError with the line of an unknown or unusable directive.
StatementFile parse_statements(std::string path, std::string_view text);

// Reads and parses a file. Throws ParseError.
StatementFile read_statement_file(const std::string &path);

} // namespace shardwise::diff
