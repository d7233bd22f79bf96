#include "planner/early_reads.hpp"

#include "catalog/catalog.hpp"
#include "pg/names.hpp"
#include "pg/query_tree.hpp"
#include "pg/triggers.hpp"
#include "planner/kept_target.hpp"
#include "planner/row_security.hpp"
#include "planner/subquery_outputs.hpp"

extern "C" {
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "parser/parsetree.h"
}

namespace shardwise
{

namespace
{

// ---- who writes what ---------------------------------------------------------------------------

// A trigger of the user's, or of a foreign key that refers to the table and changes what does.
bool writes_elsewhere(const Trigger *trigger)
{
    return !trigger->tgisinternal || acts_for_foreign_key(trigger);
}

bool has_writing_trigger(Oid relid)
{
    Relation relation = table_open(relid, AccessShareLock);
    TriggerDesc *triggers = relation->trigdesc;
    bool found = false;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; i++)
        found |= writes_elsewhere(&triggers->triggers[i]);
    table_close(relation, NoLock);
    return found;
}

bool is_written(const EarlyReads *reads, Oid relid)
{
    return find_table(relid) != nullptr &&
           (reads->writes_any || list_member_oid(reads->written, topmost_table(relid)));
}

// ---- what a query reads ------------------------------------------------------------------------

// True for an entry of a table in FROM, not for the target.
bool is_read(const Query *query, int varno)
{
    const RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    return rte->rtekind == RTE_RELATION && varno != query->resultRelation &&
           (query->onConflict == nullptr || varno != query->onConflict->exclRelIndex);
}

bool reads_written(Node *node, void *context)
{
    const EarlyReads *reads = (const EarlyReads *)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())reads_written, context);
    const Query *query = (const Query *)node;
    for (int varno = 1; varno <= list_length(query->rtable); varno++)
        if (is_read(query, varno) && is_written(reads, rt_fetch(varno, query->rtable)->relid))
            return true;
    return query_tree_walker((Query *)node, (bool (*)())reads_written, context, 0);
}

// CTEs of the query itself are looked for in its list: those that a write yields are not there.
struct Outside {
    const Query *query;
    int depth; // queries entered
};

bool has_cte(const Query *query, const char *name)
{
    ListCell *cell;
    foreach (cell, query->cteList)
        if (strcmp(((CommonTableExpr *)lfirst(cell))->ctename, name) == 0)
            return true;
    return false;
}

// True if a query depends on one around it.
bool depends_on_outside(Node *node, void *context)
{
    Outside *outside = (Outside *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var))
        return (int)((Var *)node)->varlevelsup >= outside->depth;
    if (IsA(node, RangeTblEntry)) {
        const RangeTblEntry *rte = (const RangeTblEntry *)node;
        if (rte->rtekind != RTE_CTE)
            return false;
        int level = outside->depth - 1 - (int)rte->ctelevelsup;
        return level < 0 || (level == 0 && !has_cte(outside->query, rte->ctename));
    }
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())depends_on_outside, context);
    outside->depth++;
    bool found = query_tree_walker((Query *)node, (bool (*)())depends_on_outside, context,
                                   QTW_EXAMINE_RTES_BEFORE);
    outside->depth--;
    return found;
}

// ---- reading early -----------------------------------------------------------------------------

// Replaces a SELECT by its rows.
void keep(Query *query, EarlyReads *reads, Oid copied = InvalidOid)
{
    char *name = name_kept_rows();
    Query *early = makeNode(Query);
    *early = *query;
    early->canSetTag = false;
    Query *rows = select_kept_rows(query->targetList, name);
    stand_for_statement(rows, query);
    reads->queries = lappend(reads->queries, early);
    reads->names = lappend(reads->names, makeString(name));
    reads->copied = lappend_oid(reads->copied, copied);
    *query = *rows;
}

// Puts a subquery in a table's place.
RangeTblEntry *wrap(Query *query, int varno)
{
    RangeTblEntry *rte = rt_fetch(varno, query->rtable);
    List *conditions = conditions_on(query, varno);
    bool is_secured = rte->securityQuals != NIL;
    wrap_table(query, varno);
    rte->security_barrier = is_secured;
    rte->subquery->hasRowSecurity = query->hasRowSecurity;
    if (conditions != NIL)
        rte->subquery->jointree->quals = make_conjunction(conditions);
    return rte;
}

Refusal read_level(Query *query, EarlyReads *reads)
{
    List *wrapped = NIL;
    int ntables = list_length(query->rtable);
    for (int varno = 1; varno <= ntables; varno++) {
        Oid relid = rt_fetch(varno, query->rtable)->relid;
        if (!is_read(query, varno) || !is_written(reads, relid))
            continue;
        if (get_parse_rowmark(query, varno) != nullptr)
            return psprintf(
                "Rows of table \"%s\" are locked and written by parts of the statement.",
                get_rel_name(relid));
        wrapped = lappend(wrapped, wrap(query, varno));
    }
    if (wrapped != NIL && query->commandType == CMD_SELECT)
        drop_unused_outputs(query);
    ListCell *cell;
    foreach (cell, wrapped)
        keep(((RangeTblEntry *)lfirst(cell))->subquery, reads);
    return nullptr;
}

bool has_cursor(const Query *write)
{
    ListCell *cell;
    foreach (cell, make_ands_implicit((Expr *)write->jointree->quals))
        if (IsA(lfirst(cell), CurrentOfExpr))
            return true;
    return false;
}

// What another part has changed is not to be found again.
Refusal read_target(Query *write, EarlyReads *reads)
{
    Refusal refusal = nullptr;
    bool is_of_cursor = has_cursor(write);
    Query *rows = select_target(write, &refusal);
    if (refusal != nullptr)
        return refusal;
    if (is_of_cursor && leads_to_copies(rows)) // its number among equal rows is not known
        return pstrdup("WHERE CURRENT OF and another part of WITH change a reference table that "
                       "has no key without NULLs.");
    Oid target = rt_fetch(write->resultRelation, write->rtable)->relid;
    keep(rows, reads, leads_to_copies(rows) ? target : InvalidOid);
    keep_target(write, rows);
    return nullptr;
}

struct Reading {
    EarlyReads *reads;
    Refusal refusal;
};

bool read_walker(Node *node, void *context)
{
    Reading *reading = (Reading *)context;
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())read_walker, context);
    reading->refusal = read_early((Query *)node, reading->reads);
    return reading->refusal != nullptr;
}

} // namespace

char *name_kept_rows()
{
    static uint64 last = 0;
    return psprintf("shardwise rows " UINT64_FORMAT, ++last);
}

Query *select_kept_rows(List *columns, const char *name)
{
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    List *names = NIL;
    ListCell *cell;
    rte->rtekind = RTE_NAMEDTUPLESTORE;
    rte->enrname = pstrdup(name);
    rte->inFromCl = true;
    Query *select = make_select_from(rte, nullptr);
    foreach (cell, columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (entry->resjunk)
            continue;
        Node *expr = (Node *)entry->expr;
        int number = list_length(names) + 1;
        char *column = pstrdup(entry->resname != nullptr ? entry->resname : "?column?");
        rte->coltypes = lappend_oid(rte->coltypes, exprType(expr));
        rte->coltypmods = lappend_int(rte->coltypmods, exprTypmod(expr));
        rte->colcollations = lappend_oid(rte->colcollations, exprCollation(expr));
        names = lappend(names, makeString(column));
        Var *var = makeVar(1, number, exprType(expr), exprTypmod(expr), exprCollation(expr), 0);
        TargetEntry *shown = makeTargetEntry((Expr *)var, number, pstrdup(column), false);
        shown->resorigtbl = entry->resorigtbl;
        shown->resorigcol = entry->resorigcol;
        select->targetList = lappend(select->targetList, shown);
    }
    rte->eref = makeAlias(name, names);
    rte->enrtuples = 1000;
    return select;
}

void note_write(EarlyReads *reads, const Query *write)
{
    Oid target = rt_fetch(write->resultRelation, write->rtable)->relid;
    ListCell *cell;
    reads->written = list_append_unique_oid(reads->written, topmost_table(target));
    foreach (cell, find_all_inheritors(target, AccessShareLock, nullptr))
        reads->writes_any |= has_writing_trigger(lfirst_oid(cell));
}

bool run_early(Query *query, EarlyReads *reads)
{
    Outside outside = {query, 0};
    if (query->commandType != CMD_SELECT || query->hasModifyingCTE ||
        depends_on_outside((Node *)query, &outside))
        return false;
    keep(query, reads);
    return true;
}

bool reads_unwritten(Query *query, const EarlyReads *reads)
{
    return !reads_written((Node *)query, (void *)reads);
}

Refusal read_early(Query *query, EarlyReads *reads)
{
    if (query->resultRelation > 0 && query->commandType != CMD_INSERT) {
        Oid target = rt_fetch(query->resultRelation, query->rtable)->relid;
        if (find_table(target) != nullptr &&
            list_member_oid(reads->written, topmost_table(target))) {
            Refusal refusal = read_target(query, reads);
            if (refusal != nullptr)
                return refusal;
        }
    }
    // What it would lock may have been changed by then, which PostgreSQL passes over.
    if (!reads_written((Node *)query, reads) || (query->rowMarks == NIL && run_early(query, reads)))
        return nullptr;
    Refusal refusal = read_level(query, reads);
    return refusal != nullptr ? refusal : read_subqueries_early(query, reads);
}

Refusal read_subqueries_early(Query *query, EarlyReads *reads)
{
    Reading reading = {reads, nullptr};
    (void)query_tree_walker(query, (bool (*)())read_walker, &reading, 0);
    return reading.refusal;
}

Refusal read_checks_early(List *checks, EarlyReads *reads)
{
    Reading reading = {reads, nullptr};
    (void)expression_tree_walker((Node *)checks, (bool (*)())read_walker, &reading);
    return reading.refusal;
}

} // namespace shardwise
