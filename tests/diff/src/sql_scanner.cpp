#include "sql_scanner.hpp"

#include <algorithm>
#include <cctype>

namespace shardwise::diff
{

namespace
{

bool is_space(char c)
{
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c)
{
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

bool starts_word(char c)
{
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80);
}

bool continues_word(char c)
{
    return starts_word(c) || is_digit(c) || c == '$';
}

size_t end_of_quoted(std::string_view sql, size_t at, char quote, bool backslashes)
{
    for (size_t i = at + 1; i < sql.size(); i++) {
        if (backslashes && sql[i] == '\\') {
            i++;
        } else if (sql[i] == quote) {
            if (i + 1 < sql.size() && sql[i + 1] == quote) {
                i++;
            } else {
                return i + 1;
            }
        }
    }
    return sql.size();
}

size_t end_of_block_comment(std::string_view sql, size_t at)
{
    int depth = 0;
    for (size_t i = at; i + 1 < sql.size(); i++) {
        if (sql[i] == '/' && sql[i + 1] == '*') {
            depth++, i++;
        } else if (sql[i] == '*' && sql[i + 1] == '/') {
            i++;
            if (--depth == 0) {
                return i + 1;
            }
        }
    }
    return sql.size();
}

// Returns the end of a dollar-quoted string, or `at` if none begins there.
size_t end_of_dollar_quoted(std::string_view sql, size_t at)
{
    size_t i = at + 1;
    while (i < sql.size() && sql[i] != '$' &&
           (starts_word(sql[i]) || (i > at + 1 && is_digit(sql[i])))) {
        i++;
    }
    if (i >= sql.size() || sql[i] != '$') {
        return at;
    }
    std::string_view tag = sql.substr(at, i + 1 - at);
    size_t end = sql.find(tag, i + 1);
    return end == std::string_view::npos ? sql.size() : end + tag.size();
}

template <typename Predicate> size_t skip_while(std::string_view sql, size_t at, Predicate holds)
{
    while (at < sql.size() && holds(sql[at])) {
        at++;
    }
    return at;
}

Token token(TokenKind kind, std::string_view sql, size_t from, size_t to)
{
    return {kind, sql.substr(from, to - from)};
}

} // namespace

std::string upper(std::string_view text)
{
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return result;
}

std::string_view trim(std::string_view text)
{
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

Token scan_token(std::string_view sql, size_t at)
{
    if (at >= sql.size()) {
        return {TokenKind::End, {}};
    }
    const char c = sql[at];
    const char next = at + 1 < sql.size() ? sql[at + 1] : '\0';
    if (is_space(c)) {
        return token(TokenKind::Space, sql, at, skip_while(sql, at, is_space));
    }
    if (c == '-' && next == '-') {
        return token(TokenKind::Comment, sql, at,
                     skip_while(sql, at, [](char d) { return d != '\n'; }));
    }
    if (c == '/' && next == '*') {
        return token(TokenKind::Comment, sql, at, end_of_block_comment(sql, at));
    }
    if (c == '\'') {
        return token(TokenKind::String, sql, at, end_of_quoted(sql, at, '\'', false));
    }
    if ((c == 'e' || c == 'E') && next == '\'') {
        return token(TokenKind::String, sql, at, end_of_quoted(sql, at + 1, '\'', true));
    }
    if (c == '"') {
        return token(TokenKind::QuotedName, sql, at, end_of_quoted(sql, at, '"', false));
    }
    if (c == '$' && is_digit(next)) {
        return token(TokenKind::Parameter, sql, at, skip_while(sql, at + 1, is_digit));
    }
    if (c == '$') {
        size_t end = end_of_dollar_quoted(sql, at);
        if (end != at) {
            return token(TokenKind::String, sql, at, end);
        }
    }
    if (starts_word(c) || is_digit(c)) {
        return token(TokenKind::Word, sql, at, skip_while(sql, at, continues_word));
    }
    return token(TokenKind::Symbol, sql, at, at + 1);
}

size_t statement_length(std::string_view sql)
{
    int parentheses = 0;
    int blocks = 0; // BEGIN ATOMIC and the CASEs inside it
    std::string previous;
    for (size_t at = 0; at < sql.size();) {
        Token t = scan_token(sql, at);
        if (t.text == ";" && parentheses <= 0 && blocks == 0) {
            return at;
        }
        if (t.text == "(") {
            parentheses++;
        } else if (t.text == ")") {
            parentheses--;
        } else if (t.kind == TokenKind::Word) {
            std::string word = upper(t.text);
            if ((word == "ATOMIC" && previous == "BEGIN") || (word == "CASE" && blocks > 0)) {
                blocks++;
            } else if (word == "END" && blocks > 0) {
                blocks--;
            }
            previous = word;
        }
        at += t.text.size();
    }
    return sql.size();
}

std::string first_word(std::string_view sql)
{
    for (size_t at = 0; at < sql.size();) {
        Token t = scan_token(sql, at);
        if (t.kind != TokenKind::Space && t.kind != TokenKind::Comment) {
            return upper(t.text);
        }
        at += t.text.size();
    }
    return {};
}

bool contains_word(std::string_view sql, std::string_view upper_word)
{
    for (size_t at = 0; at < sql.size();) {
        Token t = scan_token(sql, at);
        if (t.kind == TokenKind::Word && upper(t.text) == upper_word) {
            return true;
        }
        at += t.text.size();
    }
    return false;
}

bool is_ordered_at_top(std::string_view sql)
{
    int parentheses = 0;
    std::string previous;
    for (size_t at = 0; at < sql.size();) {
        Token t = scan_token(sql, at);
        at += t.text.size();
        if (t.kind == TokenKind::Space || t.kind == TokenKind::Comment) {
            continue;
        }
        parentheses += (t.text == "(") - (t.text == ")");
        std::string word = t.kind == TokenKind::Word ? upper(t.text) : std::string();
        if (parentheses == 0 && word == "BY" && previous == "ORDER") {
            return true;
        }
        previous = word;
    }
    return false;
}

std::string one_line(std::string_view sql)
{
    std::string result;
    for (size_t at = 0; at < sql.size();) {
        Token t = scan_token(sql, at);
        at += t.text.size();
        if (t.kind == TokenKind::Space || t.kind == TokenKind::Comment) {
            if (!result.empty() && result.back() != ' ') {
                result += ' ';
            }
        } else {
            result += t.text;
        }
    }
    return std::string(trim(result));
}

} // namespace shardwise::diff
