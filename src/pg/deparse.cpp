#include "pg/deparse.hpp"

#include "pg/collations.hpp"
#include "pg/names.hpp"
#include "pg/versions.hpp"

extern "C" {
#include "optimizer/optimizer.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "utils/float.h"
#include "utils/ruleutils.h"
}

namespace shardwise
{

// pg_get_querydef breaks and indents lines. Makes one line of them, in place, leaving quoted text
// as it is.
static void join_lines(char *sql)
{
    char *to = sql;
    char quote = '\0';
    for (const char *from = sql; *from != '\0'; from++) {
        if (quote != '\0')
            quote = *from == quote ? '\0' : quote;
        else if (*from == '\'' || *from == '"')
            quote = *from;
        else if (*from == '\n' || *from == ' ') {
            if (to > sql && to[-1] != ' ')
                *to++ = ' ';
            continue;
        }
        *to++ = *from;
    }
    *to = '\0';
}

static void pin(const char *name, const char *value)
{
    (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
}

// Constants must read the same whatever the shard session's settings are by then, and floats in
// full. Returns the nesting level to be left afterwards.
static int pin_output_settings()
{
    int level = NewGUCNestLevel();
    if (DateStyle != USE_ISO_DATES)
        pin("datestyle", "ISO");
    if (IntervalStyle != INTSTYLE_POSTGRES)
        pin("intervalstyle", "postgres");
    if (extra_float_digits < 1)
        pin("extra_float_digits", "1");
    if (!standard_conforming_strings)
        pin("standard_conforming_strings", "on");
    return level;
}

// Names in ORDER BY mean output columns first. An output column that is called like some other
// column of the tables would be taken for it, so such names are replaced by numbers.
static void name_output_apart(Query *query)
{
    if (query->sortClause == NIL && query->groupClause == NIL && query->distinctClause == NIL)
        return;
    ListCell *cell;
    foreach (cell, query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        const Var *var = (const Var *)entry->expr;
        if (entry->resjunk || query->setOperations != nullptr)
            continue;
        if (IsA(var, Var) && var->varlevelsup == 0 && var->varattno > 0 && entry->resname) {
            const RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);
            List *names = rte->eref->colnames;
            if (var->varattno <= list_length(names) &&
                strcmp(strVal(list_nth(names, var->varattno - 1)), entry->resname) == 0)
                continue;
        }
        entry->resname = psprintf("%d", entry->resno);
    }
}

// An INSERT into a view has the view's own EXCLUDED left in its range table, next to that of the
// table below; the name must be for the one that is used.
static void name_excluded_apart(Query *query)
{
    ListCell *cell;
    foreach (cell, query->cteList)
        name_excluded_apart((Query *)((CommonTableExpr *)lfirst(cell))->ctequery);
    if (query->onConflict == nullptr)
        return;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        bool is_used = foreach_current_index(cell) + 1 == query->onConflict->exclRelIndex;
        if (!is_used && rte->alias != nullptr && strcmp(rte->alias->aliasname, "excluded") == 0)
            rte->alias = makeAlias("unused", NIL);
    }
}

struct WholeRows {
    int depth;
    Bitmapset *varnos;
};

static bool find_whole_rows(Node *node, void *context)
{
    WholeRows *rows = (WholeRows *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Var)) {
        const Var *var = (const Var *)node;
        if ((int)var->varlevelsup == rows->depth && var->varattno == 0)
            rows->varnos = bms_add_member(rows->varnos, var->varno);
        return false;
    }
    if (IsA(node, Query)) {
        rows->depth++;
        query_tree_walker((Query *)node, (bool (*)())find_whole_rows, context,
                          QTW_IGNORE_JOINALIASES);
        rows->depth--;
        return false;
    }
    return expression_tree_walker(node, (bool (*)())find_whole_rows, context);
}

// Also shows what is joined, yet no part of FROM to the deparser, as a rule's OLD.
static void unname_join_tree(const Query *query, Node *item)
{
    ListCell *cell;
    if (IsA(item, RangeTblRef)) {
        int varno = ((RangeTblRef *)item)->rtindex;
        if (varno != query->resultRelation)
            rt_fetch(varno, query->rtable)->inFromCl = true;
    } else if (IsA(item, FromExpr)) {
        foreach (cell, ((FromExpr *)item)->fromlist)
            unname_join_tree(query, (Node *)lfirst(cell));
    } else if (IsA(item, JoinExpr)) {
        JoinExpr *join = (JoinExpr *)item;
        if (rt_fetch(join->rtindex, query->rtable)->alias == nullptr)
            join->alias = nullptr;
        unname_join_tree(query, join->larg);
        unname_join_tree(query, join->rarg);
    }
}

// A join's own name hides those of its tables, which expressions made by the planner use. Takes it
// away, at all levels, unless the join is used as a row.
static bool unname_joins(Node *node, void *context)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())unname_joins, context);
    Query *query = (Query *)node;
    WholeRows rows = {0, nullptr};
    query_tree_walker(query, (bool (*)())find_whole_rows, &rows, QTW_IGNORE_JOINALIASES);
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_JOIN &&
            !bms_is_member(foreach_current_index(cell) + 1, rows.varnos))
            rte->alias = nullptr;
    }
    if (query->jointree != nullptr)
        unname_join_tree(query, (Node *)query->jointree);
    return query_tree_walker(query, (bool (*)())unname_joins, context, 0);
}

struct Level {
    const Query *query;
    const Level *outer;
};

// Gives columns the names of their own tables: by which other name they were written, a join's or a
// rule's NEW, may be gone.
static bool name_by_table(Node *node, void *context)
{
    const Level *level = (const Level *)context;
    if (node == nullptr)
        return false;
    if (IsA(node, Query)) {
        Level inner = {(const Query *)node, level};
        return query_tree_walker((Query *)node, (bool (*)())name_by_table, &inner, 0);
    }
    if (!IsA(node, Var))
        return expression_tree_walker(node, (bool (*)())name_by_table, context);
    Var *var = (Var *)node;
    for (Index i = 0; i < var->varlevelsup && level != nullptr; i++)
        level = level->outer;
    if (level == nullptr)
        return false;
    const List *rtable = level->query->rtable;
    const RangeTblEntry *rte = var->varnosyn > 0 && (int)var->varnosyn <= list_length(rtable)
                                   ? rt_fetch(var->varnosyn, rtable)
                                   : nullptr;
    if (rte == nullptr || rte->rtekind != RTE_JOIN || rte->alias == nullptr) {
        var->varnosyn = var->varno;
        var->varattnosyn = var->varattno;
    }
    return false;
}

// The target of UPDATE and DELETE is printed without alias where it has none, but called by the
// name that it gets among all tables: another one where a rule has put the same table before it.
static void name_target_apart(Query *query)
{
    ListCell *cell;
    foreach (cell, query->cteList)
        name_target_apart((Query *)((CommonTableExpr *)lfirst(cell))->ctequery);
    if (query->commandType != CMD_UPDATE && query->commandType != CMD_DELETE)
        return;
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    if (target->alias != nullptr)
        return;
    foreach (cell, query->rtable) {
        const RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte != target && strcmp(rte->eref->aliasname, target->eref->aliasname) == 0)
            target->alias = makeAlias("shardwise_target", NIL);
    }
}

static bool drop_using_walker(Node *node, void *context)
{
    const List *rtable = (const List *)context;
    if (node == nullptr || IsA(node, Query))
        return false;
    if (IsA(node, JoinExpr) && ((JoinExpr *)node)->alias == nullptr) {
        JoinExpr *join = (JoinExpr *)node;
        RangeTblEntry *rte = rt_fetch(join->rtindex, rtable);
        rte->joinrightcols = list_copy_tail(rte->joinrightcols, rte->joinmergedcols);
        rte->joinmergedcols = 0;
        join->usingClause = NIL;
    }
    return expression_tree_walker(node, (bool (*)())drop_using_walker, context);
}

// For the sake of a column that USING has merged, the deparser gives the target's column of that
// name another one, which nothing declares: the target of UPDATE and DELETE shows no such names.
static void drop_using(Query *query)
{
    ListCell *cell;
    foreach (cell, query->cteList)
        drop_using((Query *)((CommonTableExpr *)lfirst(cell))->ctequery);
    bool merges = false;
    foreach (cell, query->rtable) {
        const RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_JOIN && rte->alias != nullptr)
            return; // used as a row: its name hides those of its tables
        merges |= rte->joinmergedcols > 0;
    }
    if (!merges || (query->commandType != CMD_UPDATE && query->commandType != CMD_DELETE))
        return;
    query->jointree = (FromExpr *)flatten_join_alias_vars(query, (Node *)query->jointree);
    query->targetList = (List *)flatten_join_alias_vars(query, (Node *)query->targetList);
    query->returningList = (List *)flatten_join_alias_vars(query, (Node *)query->returningList);
    drop_using_walker((Node *)query->jointree, query->rtable);
}

static bool has_lateral(Node *item, const List *rtable)
{
    if (IsA(item, RangeTblRef))
        return rt_fetch(((RangeTblRef *)item)->rtindex, rtable)->lateral;
    if (!IsA(item, JoinExpr))
        return false;
    return has_lateral(((JoinExpr *)item)->larg, rtable) ||
           has_lateral(((JoinExpr *)item)->rarg, rtable);
}

// A rule's subqueries may look at OLD, which stands behind them in FROM: puts what is LATERAL last.
static bool put_laterals_last(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())put_laterals_last, nullptr);
    Query *query = (Query *)node;
    List *first = NIL, *last = NIL;
    ListCell *cell;
    if (query->jointree != nullptr) {
        foreach (cell, query->jointree->fromlist) {
            Node *item = (Node *)lfirst(cell);
            List **list = has_lateral(item, query->rtable) ? &last : &first;
            *list = lappend(*list, item);
        }
        query->jointree->fromlist = list_concat(first, last);
    }
    return query_tree_walker(query, (bool (*)())put_laterals_last, nullptr, 0);
}

// Of a set operation, the first query's names count.
static void name_outputs(Query *query, const List *names)
{
    const Node *operand = query->setOperations;
    while (operand != nullptr && IsA(operand, SetOperationStmt))
        operand = ((const SetOperationStmt *)operand)->larg;
    if (operand != nullptr)
        name_outputs(rt_fetch(((const RangeTblRef *)operand)->rtindex, query->rtable)->subquery,
                     names);
    ListCell *cell;
    foreach (cell, query->targetList) {
        TargetEntry *entry = lfirst_node(TargetEntry, cell);
        if (entry->resjunk || entry->resno > list_length(names))
            continue;
        const char *name = strVal(list_nth(names, entry->resno - 1));
        // The first is a column that nobody reads, the second what the rewriter calls those that a
        // view has got since it was used here.
        if (name[0] != '\0' && strcmp(name, "?column?") != 0)
            entry->resname = pstrdup(name);
    }
}

// The columns of a view may have got other names than the query below it gave them.
static bool name_columns_of_views(Node *node, void *)
{
    if (node == nullptr)
        return false;
    if (!IsA(node, Query))
        return expression_tree_walker(node, (bool (*)())name_columns_of_views, nullptr);
    Query *query = (Query *)node;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_SUBQUERY && rte->subquery != nullptr)
            name_outputs(rte->subquery, rte->eref->colnames);
    }
    return query_tree_walker(query, (bool (*)())name_columns_of_views, nullptr, 0);
}

char *deparse_query(Query *query)
{
    name_columns_of_views((Node *)query, nullptr);
    name_target_apart(query);
    name_output_apart(query);
    name_excluded_apart(query);
    unname_joins((Node *)query, nullptr);
    drop_using(query);
    name_by_table((Node *)query, nullptr);
    put_laterals_last((Node *)query, nullptr);
    show_collations(query);

    // An error in between needs no care: transaction abort resets both.
    int path = begin_catalog_path();
    int settings = pin_output_settings();
    char *sql = pg_get_querydef(query, false);
    AtEOXact_GUC(true, settings);
    end_catalog_path(path);

    join_lines(sql);
    return sql;
}

} // namespace shardwise
