#include "executor/batch.hpp"

#include "executor/check_options.hpp"
#include "executor/gather.hpp"
#include "executor/rows.hpp"
#include "pg/triggers.hpp"
#include "routing/shard_choice.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/array.h"
}

namespace shardwise
{

namespace
{

// Rows for one shard. While a statement with earlier rows runs, more are collected.
struct Batch {
    int32 shard; // 0: all
    Silence silence;
    int rows;
    ArrayWriter *arrays; // one a parameter; those of single values stay unused
    int ncopies;         // shards that have places of their own
    ArrayWriter *copies; // then, one a parameter for the first, and so on
    List *queries;       // RemoteQuery *: running
    uint64 sent_rows;    // with them
    int *numbers;        // of the rows, where the outcome has to be in their order
    int *sent_numbers;
    int room, sent_room;
    uint64 returned; // of the rows sent
    char *mark;      // of the rows that the first batch wrote
    MemoryContext context;
};

// A batch is sent when its parameters have grown to this size.
constexpr int bytes_of_batch = 4 * 1024 * 1024;

} // namespace

struct BatchRunner {
    const BatchStatement *statement;
    const Oid *types; // of the source's columns
    const CopyColumns *copy_columns;
    ParameterWriter *writer;
    const Datum *values;
    bool *nulls; // arrays count as NULL: they are written apart
    RowReader *reader;
    BatchOutcome *outcome;
    bool is_ordered; // RETURNING of an INSERT shows the rows in the order of the source
    int added;       // rows since the last sending
    List *batches;
    MemoryContext context;
    MemoryContext row_context;
};

namespace
{

// True for a parameter that is another one on each shard: a row's place there.
bool is_place(const BatchRunner *runner, int i)
{
    int column = runner->statement->columns[i];
    const CopyColumns *copies = runner->copy_columns;
    return copies->place >= 0 && column >= 0 &&
           (column == copies->place || column == copies->table);
}

void init_arrays(const BatchRunner *runner, ArrayWriter *arrays)
{
    for (int i = 0; i < runner->statement->route->nparams; i++)
        if (runner->statement->columns[i] >= 0)
            init_array_writer(&arrays[i], runner->types[runner->statement->columns[i]]);
}

Batch *find_batch(BatchRunner *runner, int32 shard, Silence silence)
{
    ListCell *cell;
    foreach (cell, runner->batches) {
        Batch *batch = (Batch *)lfirst(cell);
        if (batch->shard == shard && batch->silence == silence)
            return batch;
    }
    MemoryContext saved = MemoryContextSwitchTo(runner->context);
    int n = runner->statement->route->nparams;
    Batch *batch = (Batch *)palloc0(sizeof(Batch));
    batch->shard = shard;
    batch->silence = silence;
    batch->arrays = (ArrayWriter *)palloc0(sizeof(ArrayWriter) * (n + 1));
    init_arrays(runner, batch->arrays);
    for (int i = 0; i < n; i++)
        if (batch->ncopies == 0 && is_place(runner, i))
            batch->ncopies = list_length(list_all_shards());
    batch->copies = (ArrayWriter *)palloc0(sizeof(ArrayWriter) * (batch->ncopies * n + 1));
    for (int i = 0; i < batch->ncopies; i++)
        init_arrays(runner, batch->copies + i * n);
    batch->context =
        AllocSetContextCreate(runner->context, "shardwise batch", ALLOCSET_SMALL_SIZES);
    runner->batches = lappend(runner->batches, batch);
    MemoryContextSwitchTo(saved);
    return batch;
}

// ---- sending -----------------------------------------------------------------------------------

void write_array(BatchRunner *runner, int i, ArrayWriter *array)
{
    finish_array(array);
    runner->writer->values[i] = array->bytes.data;
    runner->writer->lengths[i] = array->bytes.len;
    runner->writer->formats[i] = 1;
}

// The values that differ from shard to shard, among those that write_batch() has written.
void write_places(BatchRunner *runner, Batch *batch, int copy)
{
    int n = runner->writer->n;
    for (int i = 0; i < n; i++)
        if (is_place(runner, i))
            write_array(runner, i, &batch->copies[copy * n + i]);
}

RemoteValues write_batch(BatchRunner *runner, Batch *batch)
{
    RemoteValues values = write_parameters(runner->writer, runner->values, runner->nulls);
    for (int i = 0; i < runner->writer->n; i++)
        if (runner->statement->columns[i] >= 0)
            write_array(runner, i, &batch->arrays[i]);
    if (int mark = runner->statement->route->mark_param; mark > 0 && batch->mark != nullptr) {
        runner->writer->values[mark - 1] = batch->mark;
        runner->writer->lengths[mark - 1] = strlen(batch->mark);
        runner->writer->formats[mark - 1] = 0;
    }
    return values;
}

void number_row(BatchRunner *runner, Batch *batch)
{
    if (batch->rows == batch->room) {
        int room = std::max(1000, batch->room * 2);
        batch->numbers = batch->numbers == nullptr
                             ? (int *)MemoryContextAlloc(runner->context, sizeof(int) * room)
                             : (int *)repalloc_huge(batch->numbers, sizeof(int) * (Size)room);
        batch->room = room;
    }
    batch->numbers[batch->rows] = runner->added++;
}

// Travels with the next statement.
void set_silence(Connection *connection, Silence silence)
{
    const char *value = silence == Silence::All            ? trigger_silence_all
                        : silence == Silence::Statement    ? trigger_silence_statement
                        : silence == Silence::BeforeInsert ? trigger_silence_before_insert
                                                           : "";
    queue_command(connection, psprintf("SET LOCAL %s = %s", trigger_silence_setting,
                                       quote_literal_cstr(value)));
}

void clear_arrays(const BatchRunner *runner, ArrayWriter *arrays)
{
    for (int i = 0; i < runner->statement->route->nparams; i++)
        if (runner->statement->columns[i] >= 0)
            clear_array(&arrays[i]);
}

void finish_batch(BatchRunner *runner, Batch *batch, bool expects_all);

void send_batch(BatchRunner *runner, Batch *batch)
{
    if (batch->rows == 0)
        return;
    finish_batch(runner, batch, false);
    const Route *route = runner->statement->route;
    MemoryContext saved = MemoryContextSwitchTo(batch->context);
    RemoteValues values = write_batch(runner, batch);
    RemoteStatement statement = {route->statement_id, route->sql, route->nparams,
                                 route->param_types, route->binary_results};
    if (route->checks != NIL) {
        statement.translate_error = raise_row_check;
        statement.argument = route;
    }
    List *shards = batch->shard != 0 ? list_make1_int(batch->shard) : list_all_shards();
    ListCell *cell;
    foreach (cell, shards) {
        Connection *connection = join_shard(lfirst_int(cell), Access::Write, false);
        if (batch->ncopies > 0)
            write_places(runner, batch, foreach_current_index(cell));
        if (batch->silence != Silence::None)
            set_silence(connection, batch->silence);
        batch->queries =
            lappend(batch->queries, start_query(connection, &statement, &values, batch->context));
        if (batch->silence != Silence::None)
            set_silence(connection, Silence::None);
    }
    MemoryContextSwitchTo(saved);
    batch->sent_rows = batch->rows;
    batch->rows = 0;
    batch->returned = 0;
    std::swap(batch->numbers, batch->sent_numbers);
    std::swap(batch->room, batch->sent_room);
    clear_arrays(runner, batch->arrays);
    for (int i = 0; i < batch->ncopies; i++)
        clear_arrays(runner, batch->copies + i * route->nparams);
}

// Appends a row's place on each shard.
void append_places(BatchRunner *runner, Batch *batch, const Datum *values)
{
    const CopyColumns *columns = runner->copy_columns;
    int n = runner->statement->route->nparams;
    for (int i = 0; i < n; i++) {
        if (!is_place(runner, i))
            continue;
        bool is_tuple = runner->statement->columns[i] == columns->place;
        ArrayType *places =
            DatumGetArrayTypeP(values[is_tuple ? columns->places : columns->tables]);
        Datum *elements;
        int nplaces;
        deconstruct_array(places, is_tuple ? TIDOID : OIDOID,
                          is_tuple ? sizeof(ItemPointerData) : sizeof(Oid), !is_tuple,
                          is_tuple ? TYPALIGN_SHORT : TYPALIGN_INT, &elements, nullptr, &nplaces);
        if (nplaces != batch->ncopies)
            elog(ERROR, "%d places of a row on %d shards", nplaces, batch->ncopies);
        for (int copy = 0; copy < batch->ncopies; copy++)
            append_element(&batch->copies[copy * n + i], elements[copy], false);
    }
}

// ---- the outcome -------------------------------------------------------------------------------

void keep_row(BatchRunner *runner, const PGresult *result, int row)
{
    BatchOutcome *outcome = runner->outcome;
    TupleTableSlot *slot = outcome->slot;
    ExecClearTuple(slot);
    MemoryContext saved = MemoryContextSwitchTo(runner->row_context);
    read_row(runner->reader, result, row, slot->tts_values, slot->tts_isnull);
    ExecStoreVirtualTuple(slot);
    tuplestore_puttupleslot(outcome->rows, slot);
    MemoryContextSwitchTo(saved);
    ExecClearTuple(slot);
    MemoryContextReset(runner->row_context);
}

bool returns_rows(const BatchRunner *runner)
{
    const Query *query = runner->statement->route->query;
    return runner->outcome->rows != nullptr && query->returningList != NIL;
}

// Takes the next row that a statement returns; false at the end.
bool take_row(BatchRunner *runner, Batch *batch, RemoteQuery *query, bool is_heard)
{
    const PGresult *result;
    int row;
    int mark = runner->statement->mark_column - 1;
    if (!next_row(query, &result, &row))
        return false;
    if (mark >= 0 && batch->mark == nullptr)
        batch->mark = MemoryContextStrdup(runner->context, PQgetvalue(result, row, mark));
    if (is_heard && returns_rows(runner))
        keep_row(runner, result, row);
    return true;
}

// Takes the rows of all shards in the order in which they were sent. Where a shard leaves some out
// (ON CONFLICT, triggers) only its own rows are certain to be in order.
void take_rows_in_order(BatchRunner *runner)
{
    for (;;) {
        Batch *next = nullptr;
        ListCell *cell;
        foreach (cell, runner->batches) {
            Batch *batch = (Batch *)lfirst(cell);
            if (batch->queries != NIL && batch->returned < batch->sent_rows &&
                (next == nullptr ||
                 batch->sent_numbers[batch->returned] < next->sent_numbers[next->returned]))
                next = batch;
        }
        if (next == nullptr)
            return;
        next->returned = take_row(runner, next, (RemoteQuery *)linitial(next->queries), true)
                             ? next->returned + 1
                             : next->sent_rows;
    }
}

uint64 finish_query(BatchRunner *runner, Batch *batch, RemoteQuery *query, bool is_heard)
{
    while (take_row(runner, batch, query, is_heard))
        ;
    uint64 changed = affected_rows(query);
    end_query(query);
    return changed;
}

// Of a reference table all copies change alike, and the first one speaks.
void finish_batch(BatchRunner *runner, Batch *batch, bool expects_all)
{
    if (batch->queries == NIL)
        return;
    uint64 first = 0;
    ListCell *cell;
    foreach (cell, batch->queries) {
        bool is_first = foreach_current_index(cell) == 0;
        uint64 changed = finish_query(runner, batch, (RemoteQuery *)lfirst(cell), is_first);
        if (is_first)
            first = changed;
        else if (changed != first)
            raise_copies_differ(first, changed);
    }
    batch->queries = NIL;
    MemoryContextReset(batch->context);
    runner->outcome->changed += first;
    if (expects_all && first != batch->sent_rows)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot move a row to another shard"),
                        errdetail("A trigger kept it on its shard.")));
}

} // namespace

BatchRunner *make_batch_runner(const BatchStatement *statement, const Oid *value_types,
                               const Datum *values, const bool *nulls, const Oid *types,
                               const CopyColumns *copies, BatchOutcome *outcome)
{
    const Route *route = statement->route;
    BatchRunner *runner = (BatchRunner *)palloc0(sizeof(BatchRunner));
    runner->statement = statement;
    runner->types = types;
    runner->copy_columns = copies;
    runner->writer = make_parameter_writer(route->nparams, value_types);
    runner->values = values;
    runner->nulls = (bool *)palloc(sizeof(bool) * (route->nparams + 1));
    for (int i = 0; i < route->nparams; i++)
        runner->nulls[i] = nulls[i] || statement->columns[i] >= 0;
    runner->outcome = outcome;
    runner->is_ordered = route->query->commandType == CMD_INSERT && returns_rows(runner);
    runner->reader = make_row_reader(outcome->slot->tts_tupleDescriptor, route->binary_results);
    runner->context = CurrentMemoryContext;
    runner->row_context =
        AllocSetContextCreate(CurrentMemoryContext, "shardwise row", ALLOCSET_SMALL_SIZES);
    return runner;
}

bool add_to_batch(BatchRunner *runner, int32 shard, const Datum *values, const bool *nulls,
                  Silence silence)
{
    const BatchStatement *statement = runner->statement;
    Batch *batch = find_batch(runner, shard, silence);
    MemoryContext saved = MemoryContextSwitchTo(runner->row_context);
    int64 bytes = 0;
    for (int i = 0; i < statement->route->nparams; i++) {
        int column = statement->columns[i];
        if (column < 0)
            continue;
        append_element(&batch->arrays[i], values[column], nulls[column]);
        bytes += batch->arrays[i].bytes.len;
    }
    if (batch->ncopies > 0)
        append_places(runner, batch, values);
    MemoryContextSwitchTo(saved);
    MemoryContextReset(runner->row_context);
    if (runner->is_ordered)
        number_row(runner, batch);
    batch->rows++;
    return batch->rows >= statement->max_rows ||
           (bytes >= bytes_of_batch && statement->max_rows < PG_INT32_MAX);
}

void send_batches(BatchRunner *runner)
{
    if (runner->is_ordered)
        finish_batches(runner, false);
    runner->added = 0;
    ListCell *cell;
    foreach (cell, runner->batches)
        send_batch(runner, (Batch *)lfirst(cell));
}

void finish_batches(BatchRunner *runner, bool expects_all)
{
    if (runner->is_ordered)
        take_rows_in_order(runner);
    ListCell *cell;
    foreach (cell, runner->batches)
        finish_batch(runner, (Batch *)lfirst(cell), expects_all);
}

List *add_written_shards(List *shards, const BatchRunner *runner)
{
    ListCell *cell;
    foreach (cell, runner->batches)
        shards = list_append_unique_int(shards, ((Batch *)lfirst(cell))->shard);
    return shards;
}

} // namespace shardwise
