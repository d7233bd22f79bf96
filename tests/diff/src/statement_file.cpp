#include "statement_file.hpp"

#include "sql_scanner.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

namespace shardwise::diff
{

namespace
{

// Splits at commas outside quotes and parentheses.
std::vector<std::string_view> split_list(std::string_view text)
{
    std::vector<std::string_view> items;
    int parentheses = 0;
    size_t start = 0, at = 0;
    while (at < text.size()) {
        Token t = scan_token(text, at);
        parentheses += (t.text == "(" || t.text == "[") - (t.text == ")" || t.text == "]");
        if (t.text == "," && parentheses == 0) {
            items.push_back(trim(text.substr(start, at - start)));
            start = at + 1;
        }
        at += t.text.size();
    }
    if (!trim(text.substr(start)).empty() || !items.empty()) {
        items.push_back(trim(text.substr(start)));
    }
    return items;
}

std::string unquote(std::string_view quoted)
{
    std::string value;
    for (size_t i = 1; i + 1 < quoted.size(); i++) {
        value += quoted[i];
        if (quoted[i] == '\'') {
            i++; // the second of a doubled quote
        }
    }
    return value;
}

Parameter parse_parameter(std::string_view item)
{
    Parameter parameter;
    std::string_view value = item;
    size_t cast = item.front() == '\'' ? scan_token(item, 0).text.size() : item.find("::");
    if (cast != std::string_view::npos && item.substr(cast).starts_with("::")) {
        value = item.substr(0, cast);
        parameter.type = trim(item.substr(cast + 2));
    }
    parameter.literal = item;
    if (value.front() == '\'') {
        parameter.value = unquote(value);
    } else if (upper(value) != "NULL") {
        parameter.value = std::string(value);
    }
    if (value.front() == '-') { // -1::int8 is -(1::int8)
        parameter.literal = "(" + std::string(value) + ")";
        parameter.literal += item.substr(value.size());
    }
    return parameter;
}

// Reads a file from top to bottom: directives change what is known of the next statement, or of
// all that follow.
class Parser
{
public:
    Parser(std::string path, std::string_view text) : text(text) { file.path = std::move(path); }

    StatementFile run()
    {
        start_statement();
        while (at < text.size()) {
            Token t = scan_token(text, at);
            if (t.kind == TokenKind::Space) {
                skip(t.text.size());
            } else if (t.kind == TokenKind::Comment) {
                size_t length = t.text.size();
                directive(t.text);
                skip(length);
            } else if (t.text == ";") {
                skip(1);
            } else {
                statement();
            }
        }
        return std::move(file);
    }

private:
    StatementFile file;
    std::string_view text;
    size_t at = 0;
    int line = 1;
    Section section = Section::Test;
    std::set<Protocol> file_protocols;
    Statement next;

    void skip(size_t length)
    {
        line += static_cast<int>(std::count(text.begin() + at, text.begin() + at + length, '\n'));
        at += length;
    }

    void start_statement()
    {
        next = Statement();
        next.section = section;
        next.protocols = file_protocols;
    }

    [[noreturn]] void fail(const std::string &problem) const
    {
        throw ParseError(file.path + ":" + std::to_string(line) + ": " + problem);
    }

    void statement()
    {
        size_t length = statement_length(text.substr(at));
        next.line = line;
        next.sql = trim(text.substr(at, length));
        skip(length);
        if (at < text.size()) {
            skip(1);
        }
        if (first_word(next.sql) == "COPY" && contains_word(next.sql, "STDIN")) {
            next.copy_data = copy_data();
        }
        file.statements.push_back(next);
        start_statement();
    }

    // The lines up to a lone \. after the statement's own line.
    std::string copy_data()
    {
        size_t start = text.find('\n', at);
        size_t end = start == std::string_view::npos ? start : text.find("\n\\.", start);
        if (end == std::string_view::npos) {
            fail("COPY data without a closing \\.");
        }
        std::string data(text.substr(start + 1, end - start));
        skip(end + 3 - at);
        return data;
    }

    std::set<Protocol> protocols(std::string_view list) const
    {
        static const std::map<std::string_view, Protocol> names = {
            {"simple", Protocol::Simple},
            {"extended", Protocol::Extended},
            {"prepared", Protocol::Prepared}};
        std::set<Protocol> result;
        for (std::string_view name : split_list(list)) {
            auto found = names.find(name);
            if (found == names.end()) {
                fail("unknown mode " + std::string(name));
            }
            result.insert(found->second);
        }
        return result;
    }

    Compare compare(std::string_view value) const
    {
        if (value == "shape") {
            return Compare::Shape;
        }
        if (value == "sqlstate") {
            return Compare::SqlState;
        }
        fail("unknown comparison " + std::string(value));
    }

    // A statement of one side stands in the comment itself.
    void one_sided(Target target, std::string_view sql)
    {
        Statement statement;
        statement.line = line;
        statement.section = section;
        statement.target = target;
        statement.sql = sql;
        if (statement.sql.ends_with(';')) {
            statement.sql.pop_back();
        }
        file.statements.push_back(std::move(statement));
    }

    void change_section(Section to)
    {
        section = to;
        next.section = to;
    }

    // A directive is a lower-case word, alone or before a colon; everything else is prose.
    void directive(std::string_view comment)
    {
        if (!comment.starts_with("-- ")) {
            return;
        }
        comment = trim(comment.substr(3));
        size_t colon = comment.find(':');
        std::string_view word = comment.substr(0, colon);
        std::string_view value =
            colon == std::string_view::npos ? std::string_view() : trim(comment.substr(colon + 1));
        if (colon == std::string_view::npos) {
            lone_directive(word);
        } else if (word == "params") {
            for (std::string_view item : split_list(value)) {
                if (item.empty()) {
                    fail("empty parameter");
                }
                next.parameters.push_back(parse_parameter(item));
            }
        } else if (word == "modes") {
            next.protocols = protocols(value);
        } else if (word == "file-modes") {
            next.protocols = file_protocols = protocols(value);
        } else if (word == "compare") {
            next.compare = compare(value);
        } else if (word == "expect-refused") {
            next.refused = value;
        } else if (word == "expect-difference") {
            next.difference = value;
        } else if (word == "expect-rows-difference") {
            file.rows_difference = value;
        } else if (word == "router") {
            one_sided(Target::Router, value);
        } else if (word == "plain") {
            one_sided(Target::Plain, value);
        } else if (word == "shardwise") {
            one_sided(Target::Shardwise, value);
        } else if (word.find(' ') == std::string_view::npos && upper(word)[0] != word[0]) {
            fail("unknown directive " + std::string(word));
        }
    }

    void lone_directive(std::string_view word)
    {
        if (word == "setup") {
            change_section(Section::Setup);
        } else if (word == "test") {
            change_section(Section::Test);
        } else if (word == "teardown") {
            change_section(Section::Teardown);
        } else if (word == "ordered") {
            next.ordered = true;
        } else if (word == "unordered") {
            next.ordered = false;
        } else if (word == "once") {
            next.once = true;
        }
    }
};

} // namespace

StatementFile parse_statements(std::string path, std::string_view text)
{
    return Parser(std::move(path), text).run();
}

StatementFile read_statement_file(const std::string &path)
{
    std::ifstream stream(path, std::ios::binary);
    std::stringstream text;
    if (!stream || !(text << stream.rdbuf())) {
        throw ParseError(path + ": cannot be read");
    }
    return parse_statements(path, text.str());
}

} // namespace shardwise::diff
