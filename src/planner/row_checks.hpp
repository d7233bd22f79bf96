// Checks of rows that a statement writes: WITH CHECK OPTION of views and row-level security. The
// shard evaluates them inside the statement; a row that fails one ends it by an error whose message
// names the check, and the router raises what PostgreSQL would have raised.
#pragma once

#include "pg/pg.hpp"

namespace shardwise
{

// Opens the message of a violation; the check's number follows, then the row as text[], if it may
// be shown.
constexpr const char *row_check_marker = "shardwise row check ";

// The conditions of a view on a row that ON CONFLICT DO UPDATE finds through it. WCOKind has a name
// for it since a late release of PostgreSQL 15.
constexpr WCOKind view_conflict_check = (WCOKind)(WCO_RLS_MERGE_DELETE_CHECK + 1);

// That ON CONFLICT DO UPDATE meets no row which an earlier batch of the statement has written.
constexpr WCOKind second_change_check = (WCOKind)(view_conflict_check + 1);

// True of an INSERT whose BEFORE triggers the router must fire before a shard checks the rows: of
// ON CONFLICT DO NOTHING, a row is checked also where it goes nowhere, and seen nowhere then.
bool must_fire_first(const Query *query);

// Makes every WithCheckOption of the query, modifying CTEs included, a part of the query itself and
// returns the options without their conditions; the position in the list is the check's number. The
// query has been prepared by prepare_changes(). `is_fired`: the router fires an INSERT's BEFORE
// triggers. `rows_are_locked`: those that an UPDATE changes. *refusal says why that is not
// possible.
List *place_row_checks(Query *query, bool is_fired, bool rows_are_locked, char **refusal);

// Makes an INSERT ... ON CONFLICT DO UPDATE fail over rows that are marked, after all its other
// checks were placed. The last column of its RETURNING becomes the mark of the rows that it writes
// (text): one of a statement's first batch covers those of all that follow in the transaction.
void refuse_marked_rows(Query *query, Param *mark, List **checks);

} // namespace shardwise
