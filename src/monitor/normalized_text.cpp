// Query text without its constants.
#include "monitor/queries.hpp"

extern "C" {
#include "parser/gramparse.h"
}

namespace shardwise
{

static bool is_constant(int token)
{
    return token == ICONST || token == FCONST || token == SCONST || token == USCONST ||
           token == BCONST || token == XCONST;
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

static int next_token(TextScanner *scanner)
{
    return core_yylex(&scanner->value, &scanner->location, scanner->state);
}

static int highest_parameter(const char *text)
{
    TextScanner scanner;
    int highest = 0;
    begin_scanning(&scanner, text);
    while (int token = next_token(&scanner))
        if (token == PARAM)
            highest = std::max(highest, scanner.value.ival);
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
    while (int token = next_token(&scanner)) {
        if (!is_constant(token))
            continue;
        appendBinaryStringInfo(&normalized, text + copied, scanner.location - copied);
        appendStringInfo(&normalized, "$%d", ++number);
        copied = scanner.location + (int)strlen(scanner.extra.scanbuf + scanner.location);
    }
    scanner_finish(scanner.state);
    appendStringInfoString(&normalized, text + copied);
    return normalized.data;
}

} // namespace shardwise
