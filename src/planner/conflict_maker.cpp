// The UPDATE of rows that ON CONFLICT DO UPDATE meets, one after the other as they are proposed.
#include "pg/query_tree.hpp"
#include "planner/modify_maker.hpp"

extern "C" {
#include "nodes/nodeFuncs.h"
}

namespace shardwise
{

void meet_rows(Maker *maker)
{
    maker->plan->once = "ON CONFLICT DO UPDATE";
    maker->plan->in_order = maker->conflict->in_order;
    tell_places(maker);
}

// What becomes of a row that is met: nothing else may look at it before it has passed the checks.
static Expr *of_met_row(const Maker *maker, Expr *changed, Expr *left, bool tells_checks)
{
    const ConflictUpdate *conflict = maker->conflict;
    if (conflict == nullptr)
        return changed;
    Expr *value = conflict->condition != nullptr
                      ? make_case(copy_node(conflict->condition), changed, copy_node(left))
                      : changed;
    for (int i = list_length(conflict->met_checks) - 1; i >= 0; i--) {
        const WithCheckOption *check = (WithCheckOption *)list_nth(conflict->met_checks, i);
        value = make_case(copy_node(check->qual), value,
                          tells_checks ? make_int4(-i - 1) : copy_node(left));
    }
    return value;
}

Expr *value_of_met_row(const Maker *maker, Expr *expr)
{
    if (IsA(expr, Const) || IsA(expr, Var) || IsA(expr, Param))
        return expr;
    Const *nothing = makeNullConst(exprType((Node *)expr), exprTypmod((Node *)expr),
                                   exprCollation((Node *)expr));
    return of_met_row(maker, expr, (Expr *)nothing, false);
}

void number_met_rows(Maker *maker)
{
    const ConflictUpdate *conflict = maker->conflict;
    if (conflict == nullptr || (conflict->condition == nullptr && conflict->met_checks == NIL))
        return;
    maker->plan->action_column =
        add_column(maker, of_met_row(maker, make_int4(1), make_int4(0), true));
    maker->plan->checks =
        without_conditions(RelationGetRelid(maker->relation), conflict->met_checks);
}

List *make_insert_after_all(Maker *maker)
{
    const ConflictUpdate *conflict = maker->conflict;
    List *assignments = NIL;
    ListCell *cell;
    if (conflict == nullptr || conflict->proposed == NIL || maker->checks != NIL ||
        maker->plan->move.refers_to_itself || maker->write.refusal != nullptr)
        return NIL;
    foreach (cell, conflict->proposed) {
        const TargetEntry *entry = (TargetEntry *)lfirst(cell);
        assignments =
            lappend(assignments,
                    assign(entry->resno, find_source_column(&maker->write.source, entry->expr)));
    }
    ModifyAction *action = make_action(CMD_INSERT);
    set_key(maker, action, assignments);
    // The policies have been asked already.
    maker->write.check_kind = WCO_VIEW_CHECK;
    Query *sent = build_batch_insert(&maker->write, assignments, true);
    maker->write.check_kind = 0;
    sent->onConflict = copy_node(conflict->arbiter);
    action->statement = add_statement(maker, sent);
    maker->plan->inserts_met_again = true;
    maker->plan->met_again_is_fired = conflict->is_fired;
    return list_make1(action);
}

} // namespace shardwise
