#include "planner/modify_planner.hpp"

#include "catalog/catalog.hpp"
#include "pg/query_tree.hpp"
#include "pg/versions.hpp"
#include "planner/batch_statement.hpp"
#include "planner/changes.hpp"
#include "planner/kept_target.hpp"
#include "planner/locked_rows.hpp"
#include "planner/modify_maker.hpp"
#include "planner/write_tiers.hpp"

extern "C" {
#include "access/genam.h"
#include "access/sysattr.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/relcache.h"
}

namespace shardwise
{

// ---- pieces ------------------------------------------------------------------------------------

Assignment *assign(AttrNumber attribute, int column)
{
    Assignment *assignment = (Assignment *)palloc(sizeof(Assignment));
    *assignment = Assignment{attribute, column};
    return assignment;
}

int add_column(Maker *maker, Expr *expr)
{
    List **columns = &maker->write.source.columns;
    int number = list_length(*columns) + 1;
    *columns = lappend(*columns, makeTargetEntry(expr, number, psprintf("c%d", number), false));
    return number - 1;
}

Var *target_var(const Maker *maker, AttrNumber attribute)
{
    int varno = maker->write.target;
    if (maker->kept != nullptr && attribute < 0)
        return place_var(maker, attribute == shard_attribute          ? place_shard
                                : attribute == remote_table_attribute ? place_table
                                                                      : place_tuple);
    switch (attribute) {
    case SelfItemPointerAttributeNumber:
        return makeVar(varno, attribute, TIDOID, -1, InvalidOid, 0);
    case shard_attribute:
    case remote_table_attribute:
        return makeVar(varno, attribute, CIDOID, -1, InvalidOid, 0);
    default: {
        Form_pg_attribute column = TupleDescAttr(RelationGetDescr(maker->relation), attribute - 1);
        return makeVar(varno, attribute, column->atttypid, column->atttypmod, column->attcollation,
                       0);
    }
    }
}

Var *partition_var(const Maker *maker)
{
    if (maker->partition != nullptr)
        return copy_node(maker->partition);
    if (maker->kept != nullptr) { // the first that was hidden
        Var *var = place_var(maker, place_table);
        var->varattno = ++var->varattnosyn;
        var->vartype = OIDOID;
        return var;
    }
    return makeVar(maker->write.target, TableOidAttributeNumber, OIDOID, -1, InvalidOid, 0);
}

// Compiles a statement into the plan; -1 where that is not possible.
int add_statement(Maker *maker, Query *sent)
{
    BatchStatement *statement = (BatchStatement *)palloc0(sizeof(BatchStatement));
    Projection projection;
    if (!compile_batch(&maker->write, sent, statement, &maker->values, &projection))
        return -1;
    if (sent->returningList != NIL && maker->projection.columns == NIL)
        maker->projection = projection;
    maker->statements = lappend(maker->statements, statement);
    return list_length(maker->statements) - 1;
}

ModifyAction *make_action(CmdType command)
{
    ModifyAction *action = (ModifyAction *)palloc0(sizeof(ModifyAction));
    action->command = command;
    action->statement = action->remove = action->place = action->change = -1;
    return action;
}

// The columns of the source that hold a new row's key. A key that gets no value is NULL.
void set_key(Maker *maker, ModifyAction *action, List *assignments)
{
    const Table *table = maker->table;
    if (table->is_reference)
        return;
    action->key.keyspace_id = table->keyspace->id;
    action->key.nkeys = table->nkeys;
    for (int i = 0; i < table->nkeys; i++) {
        Form_pg_attribute column =
            TupleDescAttr(RelationGetDescr(maker->relation), table->key_columns[i] - 1);
        int source = -1;
        ListCell *cell;
        foreach (cell, assignments)
            if (((Assignment *)lfirst(cell))->attribute == table->key_columns[i])
                source = ((Assignment *)lfirst(cell))->column;
        if (source < 0)
            source = add_column(maker, (Expr *)makeNullConst(column->atttypid, column->atttypmod,
                                                             column->attcollation));
        action->key.values[i] = source;
        action->key.value_types[i] = getBaseType(column->atttypid);
    }
}

static bool changes_rows(const Query *write)
{
    bool changes = write->commandType == CMD_UPDATE || write->commandType == CMD_DELETE;
    ListCell *cell;
    foreach (cell, write->mergeActionList)
        changes |= ((MergeAction *)lfirst(cell))->commandType == CMD_UPDATE ||
                   ((MergeAction *)lfirst(cell))->commandType == CMD_DELETE;
    return changes;
}

// A reference table without a key: before its rows are looked for.
static Refusal number_rows(Maker *maker)
{
    Refusal refusal = nullptr;
    if (!maker->table->is_reference || !changes_rows(maker->write.query) ||
        find_row_key(maker->relation) != nullptr)
        return nullptr;
    maker->is_numbered = true;
    maker->reads_copies = maker->kept == nullptr;
    if (maker->kept == nullptr)
        maker->kept = select_target(maker->write.query, &refusal);
    return refusal;
}

static int kept_column(Maker *maker, int number)
{
    TargetEntry *entry = (TargetEntry *)list_nth(maker->kept->targetList, number);
    Var *var = makeVarFromTargetEntry(maker->write.target, entry);
    return add_column(maker, seen_by_source(maker, (Expr *)var));
}

// By the places of the copies; behind that of the one that is read, in the first columns.
static void identify_numbered(Maker *maker)
{
    CopyColumns kept = copy_columns_of(maker->relation, maker->kept);
    CopyColumns *copies = &maker->plan->copies;
    copies->shard = 0;
    copies->place = 1;
    copies->table = maker->plan->nplace > 2 ? 2 : -1;
    copies->text = kept_column(maker, kept.text);
    copies->number = kept_column(maker, kept.number);
    copies->places = kept_column(maker, kept.places);
    copies->tables = kept_column(maker, kept.tables);
    maker->write.identity = list_make1(assign(SelfItemPointerAttributeNumber, copies->place));
    if (copies->table >= 0)
        maker->write.identity =
            lappend(maker->write.identity, assign(TableOidAttributeNumber, copies->table));
}

// Copies of a reference table have their rows at different places, so they are found by key.
void identify_copies(Maker *maker)
{
    BatchWrite *write = &maker->write;
    if (maker->is_numbered) {
        identify_numbered(maker);
        return;
    }
    Bitmapset *key = find_row_key(maker->relation);
    int member = -1;
    while ((member = bms_next_member(key, member)) >= 0) {
        AttrNumber attribute = member + FirstLowInvalidHeapAttributeNumber;
        Expr *value = seen_by_source(maker, (Expr *)target_var(maker, attribute));
        write->identity = lappend(write->identity, assign(attribute, add_column(maker, value)));
    }
}

void tell_places(Maker *maker)
{
    bool is_partitioned = maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
    maker->plan->nplace = is_partitioned ? 3 : 2;
    if (!maker->table->is_reference) // are found by them anyway
        return;
    (void)add_column(maker, (Expr *)target_var(maker, shard_attribute));
    (void)add_column(maker, (Expr *)target_var(maker, SelfItemPointerAttributeNumber));
    if (is_partitioned)
        (void)add_column(maker, (Expr *)target_var(maker, remote_table_attribute));
}

static void identify_rows(Maker *maker)
{
    if (maker->table->is_reference) {
        // Of the rows of FROM that a row joins, one changes it, and the same one in all copies.
        if (maker->plan->nplace == 0 &&
            (maker->is_numbered || list_length(maker->write.query->rtable) > 1))
            tell_places(maker);
        identify_copies(maker);
        note_kept_copies(maker);
        return;
    }
    BatchWrite *write = &maker->write;
    maker->plan->shard_column = add_column(maker, (Expr *)target_var(maker, shard_attribute));
    AttrNumber ctid = SelfItemPointerAttributeNumber;
    write->identity = list_make1(assign(ctid, add_column(maker, (Expr *)target_var(maker, ctid))));
    if (maker->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
        write->identity =
            lappend(write->identity,
                    assign(TableOidAttributeNumber,
                           add_column(maker, (Expr *)target_var(maker, remote_table_attribute))));
}

static bool is_set(List *assignments, Bitmapset *attributes)
{
    ListCell *cell;
    foreach (cell, assignments)
        if (bms_is_member(((Assignment *)lfirst(cell))->attribute -
                              FirstLowInvalidHeapAttributeNumber,
                          attributes))
            return true;
    return false;
}

static bool sets_key(const Maker *maker, List *assignments)
{
    Bitmapset *key = nullptr;
    for (int i = 0; i < maker->table->nkeys; i++)
        key =
            bms_add_member(key, maker->table->key_columns[i] - FirstLowInvalidHeapAttributeNumber);
    return is_set(assignments, key);
}

// As PostgreSQL does: a row whose keys stay may be referred to meanwhile.
LockClauseStrength lock_of_update(const Maker *maker, List *assignments)
{
    return is_set(assignments, RelationGetIndexAttrBitmap(maker->relation, INDEX_ATTR_BITMAP_KEY))
               ? LCS_FORUPDATE
               : LCS_FORNOKEYUPDATE;
}

void make_update_action(Maker *maker, ModifyAction *action, List *assignments)
{
    action->statement = add_statement(maker, build_batch_update(&maker->write, assignments, true));
    bool may_leave = maker->conflict != nullptr && maker->conflict->may_leave_partition;
    if (!maker->table->is_reference && (sets_key(maker, assignments) || may_leave))
        make_move(maker, action, assignments);
    else if (may_leave)
        maker->write.refusal = pstrdup("ON CONFLICT DO UPDATE may move a row of a reference table "
                                       "to another partition.");
}

namespace
{

// ---- the source --------------------------------------------------------------------------------

// A SELECT over the write's FROM and WHERE, whose columns are the source's.
Query *make_source_query(Maker *maker)
{
    // A long VALUES list is not copied: the statements have their own copies of the rest by now.
    Query *select = makeNode(Query);
    *select = *maker->write.query;
    List *junk = NIL;
    ListCell *cell;
    foreach (cell, select->targetList) // SET (a, b) = (SELECT ...)
        if (((TargetEntry *)lfirst(cell))->resjunk)
            junk = lappend(junk, lfirst(cell));
    // What feeds an INSERT stands outside of FROM so far, and has no name.
    foreach (cell, select->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (select->commandType != CMD_INSERT ||
            (rte->rtekind != RTE_SUBQUERY && rte->rtekind != RTE_VALUES))
            continue;
        rte->inFromCl = true;
        rte->alias = makeAlias("source", NIL);
        rte->eref->aliasname = pstrdup("source");
    }
    if (maker->kept != nullptr) {
        select->rtable = list_copy(select->rtable);
        lfirst(list_nth_cell(select->rtable, maker->write.target - 1)) =
            make_subquery_entry(read_kept_target(maker),
                                rt_fetch(maker->write.target, select->rtable)->eref->aliasname);
    }
    select->commandType = CMD_SELECT;
    select->targetList = (List *)copy_node(maker->write.source.columns);
    foreach (cell, junk) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        entry->resno = list_length(select->targetList) + 1;
        select->targetList = lappend(select->targetList, entry);
    }
    select->resultRelation = 0;
    select->returningList = select->withCheckOptions = NIL;
    select->onConflict = nullptr;
    select->override = OVERRIDING_NOT_SET;
    return select;
}

// ---- commands ----------------------------------------------------------------------------------

List *make_update(Maker *maker)
{
    List *assignments = NIL;
    ListCell *cell;
    if (maker->conflict != nullptr)
        meet_rows(maker);
    identify_rows(maker);
    foreach (cell, maker->write.query->targetList) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        if (!entry->resjunk)
            assignments = lappend(
                assignments,
                assign(entry->resno, add_column(maker, value_of_met_row(maker, entry->expr))));
    }
    number_met_rows(maker);
    ModifyAction *action = make_action(CMD_UPDATE);
    make_update_action(maker, action, assignments);
    maker->strength = lock_of_update(maker, assignments);
    List *actions = prepend(action, make_insert_after_all(maker));
    make_router_checks(maker, assignments);
    return actions;
}

List *make_delete(Maker *maker)
{
    identify_rows(maker);
    maker->strength = LCS_FORUPDATE;
    ModifyAction *action = make_action(CMD_DELETE);
    action->statement = add_statement(maker, build_batch_delete(&maker->write, true));
    return list_make1(action);
}

// ---- assembly ----------------------------------------------------------------------------------

void fill_plan(Maker *maker, List *actions)
{
    ModifyPlan *plan = maker->plan;
    ListCell *cell;
    plan->nactions = list_length(actions);
    plan->actions = (ModifyAction *)palloc(sizeof(ModifyAction) * plan->nactions);
    foreach (cell, actions)
        plan->actions[foreach_current_index(cell)] = *(ModifyAction *)lfirst(cell);
    plan->nstatements = list_length(maker->statements);
    plan->statements = (BatchStatement *)palloc(sizeof(BatchStatement) * (plan->nstatements + 1));
    foreach (cell, maker->statements)
        plan->statements[foreach_current_index(cell)] = *(BatchStatement *)lfirst(cell);
}

// The entry that stands for what the shards return, so that EXPLAIN can name its columns.
void add_result_entry(PlannedStmt *plan, List *columns)
{
    RangeTblEntry *rte = makeNode(RangeTblEntry);
    List *names = NIL;
    ListCell *cell;
    foreach (cell, columns) {
        TargetEntry *entry = (TargetEntry *)lfirst(cell);
        ((Var *)entry->expr)->varno = list_length(plan->rtable) + 1;
        names = lappend(
            names, makeString(pstrdup(entry->resname != nullptr ? entry->resname : "?column?")));
    }
    rte->rtekind = RTE_NAMEDTUPLESTORE;
    rte->eref = makeAlias("shard", names);
    plan->rtable = lappend(plan->rtable, rte);
}

void put_on_top(Maker *maker, PlannedStmt *plan, const Query *query)
{
    Plan *source = plan->planTree;
    CustomScan *scan = makeNode(CustomScan);
    add_result_entry(plan, maker->projection.columns);
    scan->scan.plan.targetlist = maker->projection.output;
    scan->scan.plan.startup_cost = scan->scan.plan.total_cost = source->total_cost;
    scan->scan.plan.plan_rows = maker->projection.output != NIL ? source->plan_rows : 0;
    scan->flags = CUSTOMPATH_SUPPORT_PROJECTION;
    scan->custom_plans = list_make1(source);
    scan->custom_exprs = maker->values;
    scan->custom_private = list_make1(maker->plan);
    scan->custom_scan_tlist = maker->projection.columns;
    scan->methods = GetCustomScanMethods(modify_name, false);
    set_functions(scan);
    plan->planTree = (Plan *)scan;
    plan->commandType = query->commandType;
    plan->hasReturning = query->returningList != NIL;
    plan->canSetTag = query->canSetTag;
    plan->parallelModeNeeded = false;
}

// True if a plan is no more than the scan of shards, which then runs once.
bool reads_once(const PlannedStmt *plan)
{
    const Plan *top = plan->planTree;
    if (IsA(top, Result) && top->lefttree != nullptr)
        top = top->lefttree;
    return IsA(top, CustomScan) && plan->subplans == NIL;
}

Refusal make_plan(Maker *maker, PlannerCall call, PlannedStmt **plan)
{
    Query *query = maker->write.query;
    if ((query->commandType == CMD_UPDATE || query->commandType == CMD_DELETE) &&
        finds_by_ctid(query))
        return pstrdup("Rows of several shards may have the same ctid: find them by their key.");
    if (query->commandType == CMD_UPDATE || query->commandType == CMD_DELETE)
        take_cursor(query);
    if (Refusal refusal = number_rows(maker))
        return refusal;
    take_router_checks(maker);
    if (query->commandType != CMD_INSERT && maker->kept == nullptr &&
        uses_places((Node *)query, maker->write.target))
        return pstrdup("cmin and cmax of the target are not known.");

    List *actions = query->commandType == CMD_INSERT   ? make_insert(maker)
                    : query->commandType == CMD_UPDATE ? make_update(maker)
                    : query->commandType == CMD_DELETE ? make_delete(maker)
                                                       : make_merge(maker);
    if (maker->write.refusal != nullptr)
        return maker->write.refusal;
    fill_plan(maker, actions);

    PlannedRoutes routes;
    call.query =
        query->commandType == CMD_MERGE ? make_merge_source(maker) : make_source_query(maker);
    if (maker->kept == nullptr &&
        (query->commandType == CMD_UPDATE || query->commandType == CMD_DELETE)) {
        RangeTblEntry *target = rt_fetch(maker->write.target, call.query->rtable);
        // What ON CONFLICT meets, the INSERT has locked.
        mark_target(target, maker->conflict != nullptr ? LCS_NONE : maker->strength);
        target->inFromCl = true;
    }
    call.query = put_router_checks_above(maker, call.query);
    call.cursor_options &= ~(CURSOR_OPT_SCROLL | CURSOR_OPT_PARALLEL_OK);
    *plan = plan_on_router(call, &routes);
    maker->plan->reads_shards = routes.count > 1 || (routes.count == 1 && !reads_once(*plan)) ||
                                (routes.count == 1 && maker->plan->propose.fires) ||
                                maker->plan->now_column >= 0 || maker->reads_copies;
    if (maker->reads_copies)
        put_copies_above(*plan, RelationGetRelid(maker->relation), maker->plan->copies);
    put_on_top(maker, *plan, query);
    return nullptr;
}

} // namespace

static PlannedStmt *plan(Maker maker, const PlannerCall &call, Refusal *refusal)
{
    Query *query = call.query;
    if (query->hasModifyingCTE) {
        *refusal = pstrdup("It has several writes (WITH).");
        return nullptr;
    }
    RangeTblEntry *target = rt_fetch(query->resultRelation, query->rtable);
    maker.table = find_table(target->relid);
    maker.relation = table_open(target->relid, NoLock);
    maker.plan = make_modify_plan();
    maker.plan->command = query->commandType;
    maker.plan->relid = target->relid;
    maker.plan->is_reference = maker.table->is_reference;
    maker.plan->returns_rows = query->returningList != NIL;
    maker.write.target = query->resultRelation;
    maker.write.query = query;
    maker.kept = find_kept_target(query);
    query->returningList = (List *)flatten_join_alias_vars(query, (Node *)query->returningList);

    PlannedStmt *made = nullptr;
    *refusal = make_plan(&maker, call, &made);
    table_close(maker.relation, NoLock);
    return made;
}

PlannedStmt *plan_modify(const PlannerCall &call, Refusal *refusal)
{
    return plan(Maker{}, call, refusal);
}

PlannedStmt *plan_conflict_insert(const PlannerCall &call, bool returns_proposed, Refusal *refusal)
{
    Maker maker = {};
    maker.returns_proposed = returns_proposed;
    return plan(maker, call, refusal);
}

PlannedStmt *plan_conflict_update(const PlannerCall &call, const ConflictUpdate &conflict,
                                  Refusal *refusal)
{
    Maker maker = {};
    maker.conflict = &conflict;
    return plan(maker, call, refusal);
}

bool is_bulk_insert(const Query *query)
{
    constexpr int many_rows = 16;
    if (query->commandType != CMD_INSERT || query->hasModifyingCTE)
        return false;
    ListCell *cell;
    foreach (cell, query->rtable) {
        RangeTblEntry *rte = (RangeTblEntry *)lfirst(cell);
        if (rte->rtekind == RTE_VALUES && list_length(rte->values_lists) > many_rows)
            return find_table(rt_fetch(query->resultRelation, query->rtable)->relid) != nullptr;
    }
    return false;
}

} // namespace shardwise
