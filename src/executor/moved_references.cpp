#include "executor/moved_references.hpp"

#include "catalog/catalog.hpp"
#include "pg/names.hpp"
#include "pg/violation_detail.hpp"
#include "transaction/participants.hpp"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_constraint.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
}

namespace shardwise
{

namespace
{

// What is to become of the rows that refer to an updated one.
enum class ReferenceAction { Cascade, SetNull, SetDefault, Refuse };

struct Reference {
    ReferenceAction action;
    const char *name;
    Oid referencing;
    bool is_own;                     // of the table to itself
    bool is_deferrable, is_deferred; // the latter unless SET CONSTRAINTS says otherwise
    int n;
    AttrNumber columns[INDEX_MAX_KEYS]; // of the table that refers
    AttrNumber referenced[INDEX_MAX_KEYS];
    Oid operators[INDEX_MAX_KEYS]; // referenced = referring
    SPIPlanPtr plan;               // nullptr: not used yet
};

} // namespace

struct MovedReferences {
    Relation relation; // referred to
    List *references;  // Reference *
};

namespace
{

bool find_action(const Trigger *trigger, const Form_pg_constraint form, ReferenceAction *action)
{
    switch (trigger->tgfoid) {
    case F_RI_FKEY_CASCADE_UPD:
        *action = ReferenceAction::Cascade;
        return true;
    case F_RI_FKEY_SETNULL_UPD:
        *action = ReferenceAction::SetNull;
        return true;
    case F_RI_FKEY_SETDEFAULT_UPD:
        *action = ReferenceAction::SetDefault;
        return true;
    case F_RI_FKEY_NOACTION_UPD:
    case F_RI_FKEY_RESTRICT_UPD:
        *action = ReferenceAction::Refuse;
        // Otherwise the shard checks it, when it deletes the old row.
        return form->confdeltype != FKCONSTR_ACTION_NOACTION &&
               (form->confdeltype != FKCONSTR_ACTION_RESTRICT || form->condeferrable);
    default:
        return false;
    }
}

Reference *read_reference(const Trigger *trigger)
{
    HeapTuple tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(trigger->tgconstraint));
    if (!HeapTupleIsValid(tuple))
        return nullptr;
    Form_pg_constraint form = (Form_pg_constraint)GETSTRUCT(tuple);
    const Table *table = find_table(form->conrelid);
    Reference *found = nullptr;
    ReferenceAction action;
    if (table != nullptr && !table->is_reference && find_action(trigger, form, &action)) {
        found = (Reference *)palloc0(sizeof(Reference));
        found->action = action;
        found->name = pstrdup(NameStr(form->conname));
        found->referencing = form->conrelid;
        found->is_own = topmost_table(form->conrelid) == topmost_table(form->confrelid);
        bool may_wait = form->confupdtype == FKCONSTR_ACTION_NOACTION;
        found->is_deferrable = may_wait && form->condeferrable;
        found->is_deferred = may_wait && form->condeferred;
        DeconstructFkConstraintRow(tuple, &found->n, found->columns, found->referenced,
                                   found->operators, nullptr, nullptr, nullptr, nullptr);
    }
    ReleaseSysCache(tuple);
    return found;
}

Oid referenced_type(const MovedReferences *references, const Reference *reference, int i)
{
    TupleDesc columns = RelationGetDescr(references->relation);
    return TupleDescAttr(columns, reference->referenced[i] - 1)->atttypid;
}

const char *column_name(const Reference *reference, int i)
{
    return quote_identifier(get_attname(reference->referencing, reference->columns[i], false));
}

int count_values(const Reference *reference)
{
    return reference->action == ReferenceAction::Cascade ? 2 * reference->n : reference->n;
}

// The values of the old row are $1 and on, those of the new one behind them, last the places of
// rows that leave.
char *make_statement(const MovedReferences *references, const Reference *reference)
{
    StringInfoData sql;
    initStringInfo(&sql);
    // As PostgreSQL does: rows of tables that inherit do not refer.
    const char *table = psprintf(
        "%s%s", get_rel_relkind(reference->referencing) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
        qualified_table_name(reference->referencing));
    if (reference->action == ReferenceAction::Refuse)
        appendStringInfo(&sql, "SELECT 1 FROM %s", table);
    else
        appendStringInfo(&sql, "UPDATE %s SET ", table);
    for (int i = 0; i < reference->n && reference->action != ReferenceAction::Refuse; i++) {
        appendStringInfo(&sql, "%s%s = ", i > 0 ? ", " : "", column_name(reference, i));
        if (reference->action == ReferenceAction::Cascade)
            appendStringInfo(&sql, "$%d", reference->n + i + 1);
        else
            appendStringInfoString(&sql, reference->action == ReferenceAction::SetNull ? "NULL"
                                                                                       : "DEFAULT");
    }
    for (int i = 0; i < reference->n; i++) {
        appendStringInfoString(&sql, i > 0 ? " AND " : " WHERE ");
        generate_operator_clause(&sql, psprintf("$%d", i + 1),
                                 referenced_type(references, reference, i), reference->operators[i],
                                 column_name(reference, i),
                                 get_atttype(reference->referencing, reference->columns[i]));
    }
    if (reference->is_own)
        appendStringInfo(&sql,
                         " AND tableoid::pg_catalog.text OPERATOR(pg_catalog.||) "
                         "ctid::pg_catalog.text OPERATOR(pg_catalog.<>) ALL ($%d)",
                         count_values(reference) + 1);
    if (reference->action == ReferenceAction::Refuse)
        appendStringInfoString(&sql, " LIMIT 1");
    return sql.data;
}

void prepare(const MovedReferences *references, Reference *reference)
{
    if (reference->plan != nullptr)
        return;
    Oid types[2 * INDEX_MAX_KEYS + 1];
    int n = reference->n;
    int nvalues = count_values(reference);
    for (int i = 0; i < n; i++)
        types[i] = types[n + i] = referenced_type(references, reference, i);
    types[nvalues] = TEXTARRAYOID;
    reference->plan = SPI_prepare(make_statement(references, reference),
                                  reference->is_own ? nvalues + 1 : nvalues, types);
    if (reference->plan == nullptr)
        elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
}

// True if the old row has a key, and the new one another.
bool has_left(const MovedReferences *references, const Reference *reference,
              TupleTableSlot *old_row, TupleTableSlot *new_row)
{
    bool is_same = true;
    for (int i = 0; i < reference->n; i++) {
        AttrNumber attribute = reference->referenced[i];
        Form_pg_attribute column =
            TupleDescAttr(RelationGetDescr(references->relation), attribute - 1);
        bool was_null, is_null;
        Datum before = slot_getattr(old_row, attribute, &was_null);
        Datum after = slot_getattr(new_row, attribute, &is_null);
        if (was_null)
            return false;
        is_same &= !is_null && datumIsEqual(before, after, column->attbyval, column->attlen);
    }
    return !is_same;
}

char *describe_key(const MovedReferences *references, const Reference *reference,
                   TupleTableSlot *row)
{
    StringInfoData names, values;
    initStringInfo(&names);
    initStringInfo(&values);
    for (int i = 0; i < reference->n; i++) {
        AttrNumber attribute = reference->referenced[i];
        Form_pg_attribute column =
            TupleDescAttr(RelationGetDescr(references->relation), attribute - 1);
        bool is_null, is_varlena;
        Oid output;
        Datum value = slot_getattr(row, attribute, &is_null);
        getTypeOutputInfo(column->atttypid, &output, &is_varlena);
        const char *separator = i > 0 ? ", " : "";
        appendStringInfo(&names, "%s%s", separator, NameStr(column->attname));
        appendStringInfo(&values, "%s%s", separator, OidOutputFunctionCall(output, value));
    }
    return psprintf("(%s)=(%s)", names.data, values.data);
}

[[noreturn]] void raise_violation(const MovedReferences *references, const Reference *reference,
                                  TupleTableSlot *row)
{
    const char *table = get_rel_name(reference->referencing);
    if (reference->is_deferred || (reference->is_deferrable && has_run_in_transactions()))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("cannot move a row to another shard"),
                        errdetail("Rows of table \"%s\" refer to it by foreign key \"%s\", which "
                                  "may be deferred and acts on DELETE.",
                                  table, reference->name)));
    const char *schema = get_namespace_name(get_rel_namespace(reference->referencing));
    char *detail = psprintf("Key %s is still referenced from table \"%s\".",
                            describe_key(references, reference, row), table);
    detail =
        visible_detail({ERRCODE_FOREIGN_KEY_VIOLATION, detail, schema, table, reference->name});
    ereport(ERROR,
            (errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
             errmsg("update or delete on table \"%s\" violates foreign key constraint \"%s\" on "
                    "table \"%s\"",
                    RelationGetRelationName(references->relation), reference->name, table),
             errdetail_internal("%s", detail), err_generic_string(PG_DIAG_SCHEMA_NAME, schema),
             err_generic_string(PG_DIAG_TABLE_NAME, table),
             err_generic_string(PG_DIAG_CONSTRAINT_NAME, reference->name)));
}

// Runs as the owner of the table that refers, as PostgreSQL does. True if there was a row.
bool run(MovedReferences *references, Reference *reference, TupleTableSlot *old_row,
         TupleTableSlot *new_row, Datum leaving)
{
    Datum values[2 * INDEX_MAX_KEYS + 1];
    char nulls[2 * INDEX_MAX_KEYS + 1];
    int n = reference->n;
    for (int i = 0; i < 2 * n; i++) {
        bool is_null;
        values[i] = slot_getattr(i < n ? old_row : new_row, reference->referenced[i % n], &is_null);
        nulls[i] = is_null ? 'n' : ' ';
    }
    values[count_values(reference)] = leaving;
    nulls[count_values(reference)] = ' ';
    Oid user;
    int security_context;
    Relation referencing = table_open(reference->referencing, AccessShareLock);
    GetUserIdAndSecContext(&user, &security_context);
    SetUserIdAndSecContext(referencing->rd_rel->relowner,
                           security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
    prepare(references, reference);
    int result = SPI_execute_plan(reference->plan, values, nulls, false, 0);
    SetUserIdAndSecContext(user, security_context);
    table_close(referencing, NoLock);
    if (result < 0)
        elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
    return SPI_processed > 0;
}

} // namespace

MovedReferences *open_moved_references(Relation referenced)
{
    MovedReferences *references = (MovedReferences *)palloc0(sizeof(MovedReferences));
    references->relation = referenced;
    const TriggerDesc *triggers = referenced->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++) {
        const Trigger *trigger = &triggers->triggers[i];
        Reference *reference = RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK
                                   ? read_reference(trigger)
                                   : nullptr;
        if (reference != nullptr)
            references->references = lappend(references->references, reference);
    }
    return references;
}

void follow_moved_row(MovedReferences *references, TupleTableSlot *old_row, TupleTableSlot *new_row,
                      Datum leaving)
{
    ListCell *cell;
    foreach (cell, references->references) {
        Reference *reference = (Reference *)lfirst(cell);
        if (!has_left(references, reference, old_row, new_row))
            continue;
        bool found = run(references, reference, old_row, new_row, leaving);
        if (found && reference->action == ReferenceAction::Refuse)
            raise_violation(references, reference, old_row);
    }
}

} // namespace shardwise
