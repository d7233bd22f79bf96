// COPY FROM in binary. PostgreSQL's reader takes tuples apart; in place of the types' functions it
// calls one that keeps the bytes of the field.
#include "pg/pg.hpp"

#include "ddl/copy_in_internal.hpp"
#include "executor/row_format.hpp"

extern "C" {
#include "executor/executor.h"
#include "libpq/pqformat.h"
}

namespace shardwise
{

namespace
{

struct TupleReader {
    CopyIn *in;
    StringInfoData tuple; // as it will be sent
    int fields;           // in it so far
    Datum values[max_key_columns];
    bool nulls[max_key_columns];
};

// Belongs to one field of the input.
struct FieldReader {
    TupleReader *reader;
    int number;
    int key; // which key column it is; -1: none
};

// The function that keeps a field is not called for NULL.
void append_nulls(TupleReader *reader, int fields)
{
    for (; reader->fields < fields; reader->fields++)
        pq_sendint32(&reader->tuple, -1);
}

void read_key(FieldReader *field, StringInfo data)
{
    TupleReader *reader = field->reader;
    CopyKey *key = &reader->in->keys[field->key];
    reader->values[field->key] =
        ReceiveFunctionCall(&key->input, data, key->io_parameter, key->typmod);
    reader->nulls[field->key] = false;
}

extern "C" {
static Datum keep_field(PG_FUNCTION_ARGS)
{
    FieldReader *field = static_cast<FieldReader *>(fcinfo->flinfo->fn_extra);
    StringInfo data = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    TupleReader *reader = field->reader;
    append_nulls(reader, field->number);
    pq_sendint32(&reader->tuple, data->len);
    appendBinaryStringInfoNT(&reader->tuple, data->data, data->len);
    reader->fields++;
    if (field->key >= 0)
        read_key(field, data);
    else
        data->cursor = data->len;
    return (Datum)0;
}
}

void take_over_fields(TupleReader *reader)
{
    CopyIn *in = reader->in;
    ListCell *cell;
    foreach (cell, in->reader->attnumlist) {
        FieldReader *field = static_cast<FieldReader *>(palloc0(sizeof(FieldReader)));
        field->reader = reader;
        field->number = foreach_current_index(cell);
        field->key = -1;
        for (int i = 0; i < in->table->nkeys; i++)
            if (in->keys[i].field == field->number)
                field->key = i;
        FmgrInfo *function = &in->reader->in_functions[lfirst_int(cell) - 1];
        function->fn_addr = keep_field;
        function->fn_strict = true;
        function->fn_extra = field;
    }
}

void begin_tuple(TupleReader *reader)
{
    CopyIn *in = reader->in;
    resetStringInfo(&reader->tuple);
    pq_sendint16(&reader->tuple, list_length(in->reader->attnumlist) + in->ndefaults);
    reader->fields = 0;
    for (int i = 0; i < in->table->nkeys; i++)
        reader->nulls[i] = true;
}

void append_defaults(TupleReader *reader)
{
    CopyIn *in = reader->in;
    for (int i = 0; i < in->ndefaults; i++) {
        CopyDefault *d = &in->defaults[i];
        if (d->isnull) {
            pq_sendint32(&reader->tuple, -1);
            continue;
        }
        bytea *value = SendFunctionCall(&d->output, d->value);
        pq_sendint32(&reader->tuple, VARSIZE(value) - VARHDRSZ);
        appendBinaryStringInfoNT(&reader->tuple, VARDATA(value), VARSIZE(value) - VARHDRSZ);
    }
    for (int i = 0; i < in->table->nkeys; i++) {
        const CopyDefault *d = in->keys[i].default_;
        if (d == nullptr)
            continue;
        reader->nulls[i] = d->isnull;
        reader->values[i] = d->value;
    }
}

} // namespace

void copy_tuples(CopyIn *in)
{
    TupleReader reader = {};
    reader.in = in;
    initStringInfo(&reader.tuple);
    take_over_fields(&reader);
    // The reader would evaluate all defaults for each tuple.
    in->reader->num_defaults = 0;
    evaluate_defaults(in, false);
    int natts = RelationGetNumberOfAttributes(in->rel);
    Datum *values = static_cast<Datum *>(palloc0(natts * sizeof(Datum)));
    bool *nulls = static_cast<bool *>(palloc0(natts * sizeof(bool)));
    StringInfoData header;
    initStringInfo(&header);
    append_binary_header(&header);
    begin_forwarding(in, header.data, header.len, 0);

    for (;;) {
        CHECK_FOR_INTERRUPTS();
        ResetExprContext(in->row);
        begin_tuple(&reader);
        in->in_input = true;
        MemoryContext caller = MemoryContextSwitchTo(in->row->ecxt_per_tuple_memory);
        bool found = NextCopyFrom(in->reader, in->row, values, nulls);
        if (found) {
            append_nulls(&reader, list_length(in->reader->attnumlist));
            if (in->volatile_defaults)
                evaluate_defaults(in, true);
            append_defaults(&reader);
        }
        MemoryContextSwitchTo(caller);
        if (!found)
            break;
        forward_row(in, reader.values, reader.nulls, reader.tuple.data, reader.tuple.len, 1);
    }
    in->in_input = false;
}

} // namespace shardwise
