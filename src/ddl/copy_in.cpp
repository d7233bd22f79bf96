#include "ddl/copy_in.hpp"

#include "ddl/copy_access.hpp"
#include "ddl/copy_in_internal.hpp"
#include "executor/row_format.hpp"
#include "pg/copy_input.hpp"
#include "pg/names.hpp"
#include "pg/query_form.hpp"
#include "routing/shard_choice.hpp"

extern "C" {
#include "commands/copy.h"
#include "commands/progress.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "pgstat.h"
#include "utils/rls.h"
}

namespace shardwise
{

namespace
{

// How often pg_stat_progress_copy is told, in rows.
constexpr uint64 progress_interval = 1024;

Node *transform_condition(ParseState *parse, Node *condition)
{
    Node *expression = transformExpr(parse, condition, EXPR_KIND_COPY_WHERE);
    expression = coerce_to_boolean(parse, expression, "WHERE");
    assign_expr_collations(parse, expression);
    expression = eval_const_expressions(nullptr, expression);
    expression = (Node *)canonicalize_qual((Expr *)expression, false);
    return (Node *)make_ands_implicit((Expr *)expression);
}

// Checks privileges as COPY does. Returns the condition, ready for execution.
Node *check_access(ParseState *parse, const CopyStmt *statement, Relation rel)
{
    ParseNamespaceItem *item =
        addRangeTableEntryForRelation(parse, rel, RowExclusiveLock, nullptr, false, false);
    TablePermissions *permissions = permissions_of(item);
    permissions->requiredPerms = ACL_INSERT;
    Node *condition = nullptr;
    if (statement->whereClause != nullptr) {
        addNSItemToQuery(parse, item, false, true, true);
        condition = transform_condition(parse, statement->whereClause);
    }
    ListCell *cell;
    foreach (cell, CopyGetAttnums(RelationGetDescr(rel), rel, statement->attlist))
        permissions->insertedCols = bms_add_member(
            permissions->insertedCols, lfirst_int(cell) - FirstLowInvalidHeapAttributeNumber);
    check_permissions(parse);
    if (check_enable_rls(RelationGetRelid(rel), InvalidOid, false) == RLS_ENABLED)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("COPY FROM not supported with row-level security"),
                        errhint("Use INSERT statements instead.")));
    if (XactReadOnly)
        PreventCommandIfReadOnly("COPY FROM");
    return condition;
}

int field_number(const CopyFromState reader, AttrNumber column)
{
    ListCell *cell;
    foreach (cell, reader->attnumlist)
        if (lfirst_int(cell) == column)
            return foreach_current_index(cell);
    return -1;
}

bool is_key_column(const CopyIn *in, AttrNumber column)
{
    for (int i = 0; i < in->table->nkeys; i++)
        if (in->keys[i].column == column)
            return true;
    return false;
}

// A shard knows a constant as well as the router. Anything else is evaluated here: sequences live
// here, and a statement sees one now() and one current_user.
void find_defaults(CopyIn *in)
{
    CopyFromState reader = in->reader;
    in->defaults =
        static_cast<CopyDefault *>(palloc0((reader->num_defaults + 1) * sizeof(CopyDefault)));
    for (int i = 0; i < reader->num_defaults; i++) {
        int column = reader->defmap[i] + 1;
        Node *expression = (Node *)default_of_missing(reader, i)->expr;
        if (IsA(expression, Const) && !is_key_column(in, column))
            continue;
        CopyDefault *added = &in->defaults[in->ndefaults++];
        added->column = column;
        added->expression = default_of_missing(reader, i);
        added->is_volatile = contain_volatile_functions(expression);
        in->volatile_defaults = in->volatile_defaults || added->is_volatile;
        Oid type = TupleDescAttr(RelationGetDescr(in->rel), column - 1)->atttypid, function;
        bool is_varlena;
        if (reader->opts.binary)
            getTypeBinaryOutputInfo(type, &function, &is_varlena);
        else
            getTypeOutputInfo(type, &function, &is_varlena);
        fmgr_info(function, &added->output);
    }
}

// The columns' numbers in this table, which may be a partition.
void find_key_columns(CopyIn *in)
{
    AttrNumber columns[max_key_columns];
    find_key_columns_in(RelationGetRelid(in->rel), in->table, columns);
    for (int i = 0; i < in->table->nkeys; i++)
        in->keys[i].column = columns[i];
}

void find_key_sources(CopyIn *in)
{
    CopyFromState reader = in->reader;
    for (int i = 0; i < in->table->nkeys; i++) {
        CopyKey *key = &in->keys[i];
        Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(in->rel), key->column - 1);
        key->field = field_number(reader, key->column);
        key->type = attribute->atttypid;
        key->typmod = attribute->atttypmod;
        if (key->field >= 0) {
            key->input = reader->in_functions[key->column - 1];
            key->io_parameter = reader->typioparams[key->column - 1];
        }
        for (int j = 0; key->field < 0 && j < in->ndefaults; j++)
            if (in->defaults[j].column == key->column)
                key->default_ = &in->defaults[j];
    }
}

void append_character_option(StringInfo command, const char *name, const char *value)
{
    appendStringInfo(command, ", %s %s", name, quote_literal_cstr(value));
}

void append_column_option(StringInfo command, const char *name, Relation rel, const bool *flags)
{
    List *columns = NIL;
    for (int i = 0; flags != nullptr && i < RelationGetNumberOfAttributes(rel); i++)
        if (flags[i])
            columns = lappend_int(columns, i + 1);
    if (columns != NIL)
        appendStringInfo(command, ", %s (%s)", name, column_names(RelationGetRelid(rel), columns));
}

// The command for the shards. The encoding is the router's, which its sessions share; the header is
// the router's as well, and a shard's is the preamble.
char *shard_command(const CopyIn *in)
{
    const CopyFormatOptions *options = &in->reader->opts;
    Oid relid = RelationGetRelid(in->rel);
    List *columns = list_copy(in->reader->attnumlist);
    for (int i = 0; i < in->ndefaults; i++)
        columns = lappend_int(columns, in->defaults[i].column);
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "COPY %s (%s) FROM STDIN WITH (FORMAT %s",
                     qualified_table_name(relid), column_names(relid, columns),
                     options->binary ? "binary" : (options->csv_mode ? "csv" : "text"));
    if (!options->binary) {
        append_character_option(&command, "DELIMITER", options->delim);
        append_character_option(&command, "NULL", options->null_print);
    }
    if (options->csv_mode) {
        appendStringInfoString(&command, ", HEADER true");
        append_character_option(&command, "QUOTE", options->quote);
        append_character_option(&command, "ESCAPE", options->escape);
        append_column_option(&command, "FORCE_NOT_NULL", in->rel, options->force_notnull_flags);
        append_column_option(&command, "FORCE_NULL", in->rel, options->force_null_flags);
    }
    if (options->freeze)
        appendStringInfoString(&command, ", FREEZE true");
    appendStringInfoChar(&command, ')');
    return command.data;
}

// Rows that have to be looked at whole: a condition, or values that mean something else elsewhere.
void copy_parsed_rows(CopyIn *in, Node *condition)
{
    CopyFromState reader = in->reader;
    RowStreamOptions options = {};
    options.by_attribute = true;
    options.copied_name = RelationGetRelationName(in->rel);
    options.context = in->context;
    options.freeze = reader->opts.freeze;
    in->stream = open_row_stream(in->rel, options);
    TupleTableSlot *slot =
        ExecInitExtraTupleSlot(in->estate, RelationGetDescr(in->rel), &TTSOpsVirtual);
    in->row->ecxt_scantuple = slot;
    ExprState *qual = ExecInitQual((List *)condition, nullptr);

    for (;;) {
        ResetExprContext(in->row);
        ExecClearTuple(slot);
        MemoryContext caller = MemoryContextSwitchTo(in->row->ecxt_per_tuple_memory);
        in->in_input = true;
        bool found = NextCopyFrom(reader, in->row, slot->tts_values, slot->tts_isnull);
        MemoryContextSwitchTo(caller);
        if (!found)
            break;
        ExecStoreVirtualTuple(slot);
        bool wanted = ExecQual(qual, in->row);
        in->in_input = false;
        if (wanted)
            send_row(in->stream, slot->tts_values, slot->tts_isnull, reader->cur_lineno);
    }
    in->in_input = false;
}

void read_rows(CopyIn *in, Node *condition)
{
    const CopyFormatOptions *options = &in->reader->opts;
    bool foreign_binary =
        options->binary && !columns_are_portable_in_binary(in->rel, copied_columns(in->rel));
    if (condition != nullptr || foreign_binary || has_default_marker(in->reader))
        copy_parsed_rows(in, condition);
    else if (options->binary)
        copy_tuples(in);
    else
        copy_lines(in);
}

// Reads all rows. Returns an error of the input, instead of raising it: a shard may have one of an
// earlier line.
ErrorData *try_read_rows(CopyIn *in, Node *condition)
{
    MemoryContext context = CurrentMemoryContext;
    ErrorData *volatile error = nullptr;
    PG_TRY();
    {
        read_rows(in, condition);
    }
    PG_CATCH();
    {
        int category = ERRCODE_TO_CATEGORY(geterrcode());
        if (!in->in_input || (category != ERRCODE_DATA_EXCEPTION &&
                              category != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION))
            PG_RE_THROW();
        MemoryContextSwitchTo(context);
        error = CopyErrorData();
        FlushErrorState();
    }
    PG_END_TRY();
    return error;
}

// With no rows at all, one shard still checks the command and fires the statement's triggers.
bool needs_some_shard(const CopyIn *in)
{
    const TriggerDesc *triggers = in->rel->trigdesc;
    return in->reader->opts.freeze ||
           (triggers != nullptr &&
            (triggers->trig_insert_before_statement || triggers->trig_insert_after_statement));
}

uint64 finish(CopyIn *in)
{
    if (in->stream != nullptr)
        return close_row_stream(in->stream);
    if (in->copy == nullptr) {
        if (!needs_some_shard(in))
            return 0;
        begin_forwarding(in, "\n", in->reader->opts.csv_mode, in->reader->opts.csv_mode);
        open_shard_copy(in->copy, in->table->is_reference ? linitial_int(in->shards)
                                                          : any_owner(in->table->keyspace));
    }
    return end_shard_copy(in->copy, in->table->is_reference);
}

// Errors of shards come with a context of their own.
extern "C" {
static void add_input_context(void *argument)
{
    const CopyIn *in = static_cast<const CopyIn *>(argument);
    if (in->in_input)
        CopyFromErrorCallback(in->reader);
}
}

uint64 copy_all_rows(CopyIn *in, Node *condition)
{
    ErrorContextCallback callback = {error_context_stack, add_input_context, in};
    in->context = error_context_stack;
    error_context_stack = &callback;
    ErrorData *error = try_read_rows(in, condition);
    error_context_stack = callback.previous;
    if (error != nullptr) {
        uint64 line = in->reader->cur_lineno;
        if (in->stream != nullptr)
            fail_row_stream(in->stream, error, line);
        if (in->copy != nullptr)
            fail_shard_copy(in->copy, error, line);
        ReThrowError(error);
    }
    return finish(in);
}

} // namespace

void begin_forwarding(CopyIn *in, const char *preamble, int length, uint64 lines)
{
    ShardCopyOptions options = {};
    options.command = shard_command(in);
    options.preamble = preamble;
    options.preamble_length = length;
    options.preamble_lines = lines;
    options.copied_name = RelationGetRelationName(in->rel);
    options.context = in->context;
    in->copy = begin_shard_copy(options);
}

// A shard refuses a row without key, and says best what it lacks.
static void refuse_row(CopyIn *in, int key, const char *data, int length, uint32 lines)
{
    copy_row(in->copy, any_owner(in->table->keyspace), data, length, in->reader->cur_lineno, lines);
    fail_shard_copy(in->copy, nullptr, 0);
    in->in_input = true;
    raise_null_key(in->rel, in->keys[key].column);
}

void forward_row(CopyIn *in, const Datum *key, const bool *nulls, const char *data, int length,
                 uint32 lines)
{
    uint64 line = in->reader->cur_lineno;
    in->in_input = false;
    if ((line & (progress_interval - 1)) == 0) {
        CHECK_FOR_INTERRUPTS();
        pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, line);
    }
    if (in->table->is_reference) {
        ListCell *cell;
        foreach (cell, in->shards)
            copy_row(in->copy, lfirst_int(cell), data, length, line, lines);
        return;
    }
    for (int i = 0; i < in->table->nkeys; i++)
        if (unlikely(nulls[i]))
            refuse_row(in, i, data, length, lines);
    int32 owner = find_owner(in->table->keyspace, key);
    if (unlikely(owner == 0)) {
        in->in_input = true;
        raise_unowned_key(in->rel);
    }
    copy_row(in->copy, owner, data, length, line, lines);
}

void evaluate_defaults(CopyIn *in, bool volatile_ones)
{
    MemoryContext caller = CurrentMemoryContext;
    if (volatile_ones)
        MemoryContextSwitchTo(in->row->ecxt_per_tuple_memory);
    for (int i = 0; i < in->ndefaults; i++) {
        CopyDefault *d = &in->defaults[i];
        if (d->is_volatile == volatile_ones)
            d->value = ExecEvalExpr(d->expression, in->row, &d->isnull);
    }
    MemoryContextSwitchTo(caller);
}

void copy_in(const CopyStmt *statement, const char *text, QueryEnvironment *environment,
             QueryCompletion *completion)
{
    check_copy_file(statement);
    Relation rel = table_openrv(statement->relation, RowExclusiveLock);
    ParseState *parse = make_parsestate(nullptr);
    parse->p_sourcetext = text;
    parse->p_queryEnv = environment;
    Node *condition = check_access(parse, statement, rel);

    CopyIn in = {};
    in.rel = rel;
    begin_bulk_write(find_table(RelationGetRelid(rel)));
    in.table = find_table(RelationGetRelid(rel));
    in.shards = in.table->is_reference ? list_all_shards() : NIL;
    in.estate = CreateExecutorState();
    in.row = GetPerTupleExprContext(in.estate);
    in.reader = BeginCopyFrom(parse, rel, condition, statement->filename, statement->is_program,
                              nullptr, statement->attlist, statement->options);
    if (skips_errors(in.reader))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot use ON_ERROR for distributed table \"%s\"",
                               RelationGetRelationName(rel)),
                        errdetail("The router does not read all columns of a row.")));
    find_key_columns(&in);
    find_defaults(&in);
    find_key_sources(&in);
    uint64 rows = copy_all_rows(&in, condition);

    EndCopyFrom(in.reader);
    ExecResetTupleTable(in.estate->es_tupleTable, false);
    FreeExecutorState(in.estate);
    table_close(rel, NoLock);
    free_parsestate(parse);
    SetQueryCompletion(completion, CMDTAG_COPY, rows);
}

} // namespace shardwise
