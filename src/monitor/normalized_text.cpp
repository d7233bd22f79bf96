// Query text without its constants.
#include "monitor/queries.hpp"

extern "C" {
#include "common/keywords.h"
#include "parser/scanner.h"
}

namespace shardwise
{

// Tells a constant by how it begins: the numbers of tokens differ between versions of PostgreSQL.
static bool is_constant(const char *token)
{
    if (token[0] == '.' || token[0] == '$') // .5, and $tag$; but $1 is a parameter
        return (token[0] == '.') == (isdigit((unsigned char)token[1]) != 0);
    if (strchr("uU", token[0]) != nullptr)
        return token[1] == '&' && token[2] == '\'';
    if (strchr("bBeExX", token[0]) != nullptr)
        return token[1] == '\'';
    return token[0] == '\'' || isdigit((unsigned char)token[0]);
}

// PostgreSQL's scanner over a text; it ends every token that it returns by a NUL in its own copy.
struct TextScanner {
    core_yy_extra_type extra;
    core_yyscan_t state;
    core_YYSTYPE value;
    YYLTYPE location;
};

static void begin_scanning(TextScanner *scanner, const char *text)
{
    scanner->state = scanner_init(text, &scanner->extra, &ScanKeywords, ScanKeywordTokens);
    scanner->extra.escape_string_warning = false;
}

// The next token; nullptr at the end.
static const char *next_token(TextScanner *scanner)
{
    if (core_yylex(&scanner->value, &scanner->location, scanner->state) == 0)
        return nullptr;
    return scanner->extra.scanbuf + scanner->location;
}

static int highest_parameter(const char *text)
{
    TextScanner scanner;
    int highest = 0;
    begin_scanning(&scanner, text);
    while (const char *token = next_token(&scanner))
        if (token[0] == '$' && isdigit((unsigned char)token[1]))
            highest = std::max(highest, atoi(token + 1));
    scanner_finish(scanner.state);
    return highest;
}

char *normalize_text(const char *source, int location, int length)
{
    const char *start = location > 0 ? source + location : source;
    char *text = length > 0 ? pnstrdup(start, length) : pstrdup(start);
    int number = highest_parameter(text);

    StringInfoData normalized;
    initStringInfo(&normalized);
    TextScanner scanner;
    int copied = 0;
    begin_scanning(&scanner, text);
    while (const char *token = next_token(&scanner)) {
        if (!is_constant(token))
            continue;
        appendBinaryStringInfo(&normalized, text + copied, scanner.location - copied);
        appendStringInfo(&normalized, "$%d", ++number);
        copied = scanner.location + (int)strlen(token);
    }
    scanner_finish(scanner.state);
    appendStringInfoString(&normalized, text + copied);
    return normalized.data;
}

} // namespace shardwise
