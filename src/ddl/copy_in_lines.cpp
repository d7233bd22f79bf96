// COPY FROM in text and CSV. PostgreSQL's reader finds and checks the lines; one that lies whole in
// its buffer and has nothing special in it is taken from there, and only the key's fields are read.
#include "pg/pg.hpp"

#include "ddl/copy_in_internal.hpp"
#include "executor/row_format.hpp"

extern "C" {
#include "common/int.h"
#include "executor/executor.h"
}

namespace shardwise
{

namespace
{

// How the lines of this input are told apart and divided.
struct LineReader {
    CopyIn *in;
    CopyFromState reader;
    bool csv;
    char delimiter;
    char quote;
    const char *end_of_line;
    int end_length;
    StringInfoData row;    // a line with what is appended to it
    StringInfoData suffix; // fields of the defaults
    StringInfoData field;
};

// A field as it stands in a plain line.
struct Field {
    const char *start;
    int length;
};

void append_text_value(StringInfo out, const CopyFormatOptions *options, const char *value)
{
    const char *c = value;
    // Text that looks like the NULL marker would be taken for it.
    if (strcmp(value, options->null_print) == 0 && *c != '\0')
        appendStringInfo(out, "\\x%02x", (unsigned char)*c++);
    for (; *c != '\0'; c++) {
        switch (*c) {
        case '\n':
            appendStringInfoString(out, "\\n");
            continue;
        case '\r':
            appendStringInfoString(out, "\\r");
            continue;
        }
        if (*c == '\\' || *c == options->delim[0])
            appendStringInfoChar(out, '\\');
        appendStringInfoChar(out, *c);
    }
}

void append_csv_value(StringInfo out, const CopyFormatOptions *options, const char *value)
{
    appendStringInfoChar(out, options->quote[0]);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == options->quote[0] || *c == options->escape[0])
            appendStringInfoChar(out, options->escape[0]);
        appendStringInfoChar(out, *c);
    }
    appendStringInfoChar(out, options->quote[0]);
}

void format_defaults(LineReader *lines)
{
    const CopyFormatOptions *options = &lines->reader->opts;
    resetStringInfo(&lines->suffix);
    int level = use_exact_text();
    for (int i = 0; i < lines->in->ndefaults; i++) {
        CopyDefault *d = &lines->in->defaults[i];
        appendStringInfoChar(&lines->suffix, lines->delimiter);
        if (d->isnull)
            appendStringInfoString(&lines->suffix, options->null_print);
        else if (lines->csv)
            append_csv_value(&lines->suffix, options, OutputFunctionCall(&d->output, d->value));
        else
            append_text_value(&lines->suffix, options, OutputFunctionCall(&d->output, d->value));
    }
    if (level != 0)
        AtEOXact_GUC(true, level);
}

// Reads a decimal integer of plain form; false for anything that the type's own function has to
// judge.
bool parse_integer(Oid type, const char *digits, int length, Datum *value)
{
    const char *end = digits + length;
    bool negative = length > 0 && *digits == '-';
    digits += negative;
    if (digits == end || end - digits > 18)
        return false;
    int64 number = 0;
    for (; digits < end; digits++) {
        unsigned digit = (unsigned char)*digits - '0';
        if (digit > 9)
            return false;
        number = number * 10 + digit;
    }
    if (negative)
        number = -number;
    switch (type) {
    case INT8OID:
        *value = Int64GetDatum(number);
        return true;
    case INT4OID:
        *value = Int32GetDatum((int32)number);
        return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
    case INT2OID:
        *value = Int16GetDatum((int16)number);
        return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
    default:
        return false;
    }
}

Datum parse_key(LineReader *lines, CopyKey *key, char *text)
{
    lines->reader->cur_attname =
        NameStr(TupleDescAttr(RelationGetDescr(lines->in->rel), key->column - 1)->attname);
    lines->reader->cur_attval = text;
    MemoryContext caller = MemoryContextSwitchTo(lines->in->row->ecxt_per_tuple_memory);
    Datum value = InputFunctionCall(&key->input, text, key->io_parameter, key->typmod);
    MemoryContextSwitchTo(caller);
    lines->reader->cur_attname = nullptr;
    lines->reader->cur_attval = nullptr;
    return value;
}

// Finds a field of a plain line; false if the line has too few, or escapes that PostgreSQL's reader
// should resolve.
bool find_field(const LineReader *lines, const char *line, int length, bool escapes, int number,
                Field *field)
{
    const char *end = line + length;
    if (!escapes) {
        for (; number > 0; number--) {
            line = static_cast<const char *>(memchr(line, lines->delimiter, end - line));
            if (line == nullptr)
                return false;
            line++;
        }
        const void *next = memchr(line, lines->delimiter, end - line);
        *field = {line, (int)((next != nullptr ? static_cast<const char *>(next) : end) - line)};
        return true;
    }
    const char *start = line;
    for (; line < end; line++) {
        if (*line == '\\') {
            line++;
        } else if (*line == lines->delimiter) {
            if (number == 0)
                break;
            number--;
            start = line + 1;
        }
    }
    if (number > 0)
        return false;
    *field = {start, (int)(Min(line, end) - start)};
    return memchr(field->start, '\\', field->length) == nullptr;
}

// Reads the key of a plain line; false where PostgreSQL's reader has to take the line apart.
bool read_plain_key(LineReader *lines, const char *line, int length, bool escapes, Datum *values,
                    bool *nulls)
{
    const CopyFormatOptions *options = &lines->reader->opts;
    for (int i = 0; i < lines->in->table->nkeys; i++) {
        CopyKey *key = &lines->in->keys[i];
        Field field;
        if (key->field < 0 || !find_field(lines, line, length, escapes, key->field, &field))
            return false;
        nulls[i] = false;
        if (field.length == options->null_print_len &&
            memcmp(field.start, options->null_print, field.length) == 0)
            return false;
        if (likely(parse_integer(key->type, field.start, field.length, &values[i])))
            continue;
        resetStringInfo(&lines->field);
        appendBinaryStringInfo(&lines->field, field.start, field.length);
        values[i] = parse_key(lines, key, lines->field.data);
    }
    return true;
}

// Looks for a line that lies whole in the reader's buffer and reads the same as raw bytes: no
// quotes, no end-of-data marker, no other end of line than the usual. `escapes`: it has
// backslashes.
bool find_plain_line(const LineReader *lines, const char **line, int *length, bool *escapes)
{
    CopyFromState reader = lines->reader;
    const char *start = reader->input_buf + reader->input_buf_index;
    size_t available = INPUT_BUF_BYTES(reader);
    const char *end = static_cast<const char *>(memchr(start, '\n', available));
    if (end == nullptr || memchr(start, '\r', end - start) != nullptr)
        return false;
    *line = start;
    *length = end - start;
    *escapes = false;
    if (lines->csv)
        return *start != '\\' && memchr(start, lines->quote, *length) == nullptr;
    const char *at = start;
    while (at < end && (at = static_cast<const char *>(memchr(at, '\\', end - at))) != nullptr) {
        if (at + 1 == end || at[1] == '.')
            return false;
        *escapes = true;
        at += 2;
    }
    return true;
}

// Takes plain lines out of the reader's buffer for as long as there are some.
void copy_plain_lines(LineReader *lines)
{
    CopyIn *in = lines->in;
    CopyFromState reader = lines->reader;
    Datum values[max_key_columns];
    bool nulls[max_key_columns] = {};
    const char *line;
    int length;
    bool escapes;
    while (find_plain_line(lines, &line, &length, &escapes)) {
        CHECK_FOR_INTERRUPTS();
        ResetExprContext(in->row);
        reader->cur_lineno++;
        reader->line_buf_valid = false;
        in->in_input = true;
        if (!read_plain_key(lines, line, length, escapes, values, nulls)) {
            reader->cur_lineno--;
            return;
        }
        reader->input_buf_index += length + 1;
        forward_row(in, values, nulls, line, length + 1, 1);
    }
}

void raise_field_count(const CopyIn *in, int fields)
{
    const List *columns = in->reader->attnumlist;
    if (fields > list_length(columns))
        ereport(ERROR, (errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
                        errmsg("extra data after last expected column")));
    AttrNumber missing = list_nth_int(columns, fields);
    ereport(ERROR,
            (errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
             errmsg("missing data for column \"%s\"",
                    NameStr(TupleDescAttr(RelationGetDescr(in->rel), missing - 1)->attname))));
}

// The value that a field has for COPY: NULL markers and FORCE options applied.
char *field_text(const LineReader *lines, AttrNumber column, char *raw)
{
    const CopyFormatOptions *options = &lines->reader->opts;
    if (!lines->csv)
        return raw;
    if (raw == nullptr && options->force_notnull_flags[column - 1])
        return options->null_print;
    if (raw != nullptr && options->force_null_flags[column - 1] &&
        strcmp(raw, options->null_print) == 0)
        return nullptr;
    return raw;
}

void read_key(LineReader *lines, char **fields, Datum *values, bool *nulls)
{
    CopyIn *in = lines->in;
    for (int i = 0; i < in->table->nkeys; i++) {
        CopyKey *key = &in->keys[i];
        if (key->field >= 0) {
            char *text = field_text(lines, key->column, fields[key->field]);
            nulls[i] = text == nullptr;
            if (text != nullptr)
                values[i] = parse_key(lines, key, text);
        } else {
            nulls[i] = key->default_ == nullptr || key->default_->isnull;
            values[i] = nulls[i] ? (Datum)0 : key->default_->value;
        }
    }
}

// Lines that one record of CSV spans, counted as PostgreSQL's reader does.
uint32 count_lines(const LineReader *lines)
{
    const StringInfoData *line = &lines->reader->line_buf;
    uint32 count = 1;
    if (lines->csv)
        for (int i = 0; i < line->len; i++)
            count += line->data[i] == lines->end_of_line[0];
    return count;
}

void build_row(LineReader *lines)
{
    const StringInfoData *line = &lines->reader->line_buf;
    int length = line->len;
    // A backslash that ends the input means nothing; it must not reach for what follows here.
    if (!lines->csv) {
        int backslashes = 0;
        while (backslashes < length && line->data[length - 1 - backslashes] == '\\')
            backslashes++;
        length -= backslashes % 2;
    }
    resetStringInfo(&lines->row);
    appendBinaryStringInfo(&lines->row, line->data, length);
    appendBinaryStringInfo(&lines->row, lines->suffix.data, lines->suffix.len);
    appendBinaryStringInfo(&lines->row, lines->end_of_line, lines->end_length);
}

// The shards get lines as the input has them, ends included: their first line says which.
void begin_lines(LineReader *lines)
{
    static const char *const ends[] = {"\n", "\n", "\r", "\r\n"}; // by EolType
    lines->end_of_line = ends[lines->reader->eol_type];
    lines->end_length = strlen(lines->end_of_line);
    // The header that a shard skips tells it the end of lines before it sees quotes.
    begin_forwarding(lines->in, lines->end_of_line, lines->csv ? lines->end_length : 0,
                     lines->csv ? 1 : 0);
    evaluate_defaults(lines->in, false);
    if (!lines->in->volatile_defaults)
        format_defaults(lines);
}

// Reads one line by PostgreSQL's reader, whatever it holds. Returns false at the end.
bool copy_next_line(LineReader *lines)
{
    CopyIn *in = lines->in;
    char **fields;
    int count;
    in->in_input = true;
    if (!NextCopyFromRawFields(lines->reader, &fields, &count))
        return false;
    if (in->copy == nullptr)
        begin_lines(lines);
    if (count != list_length(lines->reader->attnumlist))
        raise_field_count(in, count);
    ResetExprContext(in->row);
    if (in->volatile_defaults) {
        evaluate_defaults(in, true);
        MemoryContext caller = MemoryContextSwitchTo(in->row->ecxt_per_tuple_memory);
        format_defaults(lines);
        MemoryContextSwitchTo(caller);
    }
    Datum values[max_key_columns];
    bool nulls[max_key_columns] = {};
    build_row(lines);
    read_key(lines, fields, values, nulls);
    forward_row(in, values, nulls, lines->row.data, lines->row.len, count_lines(lines));
    return true;
}

} // namespace

void copy_lines(CopyIn *in)
{
    LineReader lines = {};
    lines.in = in;
    lines.reader = in->reader;
    lines.csv = in->reader->opts.csv_mode;
    lines.delimiter = in->reader->opts.delim[0];
    lines.quote = lines.csv ? in->reader->opts.quote[0] : '\0';
    initStringInfo(&lines.row);
    initStringInfo(&lines.suffix);
    initStringInfo(&lines.field);
    while (copy_next_line(&lines))
        if (in->ndefaults == 0 && in->reader->eol_type == EOL_NL)
            copy_plain_lines(&lines);
    in->in_input = false;
}

} // namespace shardwise
