// Just enough of SQL's lexical rules to find where statements end and what they begin with.
#pragma once

#include <string>
#include <string_view>

namespace shardwise::diff
{

enum class TokenKind { End, Space, Comment, String, QuotedName, Word, Parameter, Symbol };

struct Token {
    TokenKind kind;
    std::string_view text;
};

// Returns the token at an offset. An unterminated string or comment reaches to the end.
Token scan_token(std::string_view sql, size_t offset);

// Returns the length of the statement at the start of `sql`, without its semicolon. Semicolons in
// strings, comments, parentheses and BEGIN ATOMIC bodies do not end it.
size_t statement_length(std::string_view sql);

// Returns the first word, in upper case; "(" for a parenthesized query.
std::string first_word(std::string_view sql);

// True if the word occurs anywhere outside strings, names and comments.
bool contains_word(std::string_view sql, std::string_view upper_word);

// True if ORDER BY stands outside all parentheses, so that it decides the result's order.
bool is_ordered_at_top(std::string_view sql);

// Replaces comments by nothing and outer space, so that a statement can be printed on one line.
std::string one_line(std::string_view sql);

std::string upper(std::string_view);
std::string_view trim(std::string_view);

} // namespace shardwise::diff
