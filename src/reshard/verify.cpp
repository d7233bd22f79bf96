#include "pg/pg.hpp"

#include "pg/deadlines.hpp"
#include "reshard/verify.hpp"

extern "C" {
#include "utils/timestamp.h"
}

namespace shardwise
{

namespace
{

constexpr int bucket_count = 1024;
constexpr int sampled_buckets = 64;
constexpr int marker_seconds = 60;
constexpr int keys_shown = 10;

struct Bucket {
    int64 rows;
    char *sum; // numeric
};

struct TableResult {
    const MoveTable *table;
    int64 rows, mismatched, missing, extra;
};

// A row in a bucket that differs.
struct RowHash {
    int64 key, row;
};

void begin_snapshot(ShardSession *s)
{
    (void)run(s, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM pg_class LIMIT 1");
}

void await(const Flow *flow, int64 marker)
{
    TimestampTz deadline = milliseconds_from_now(marker_seconds * 1000);
    if (!wait_for_marker(flow, marker, deadline))
        ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                        errmsg("shard \"%s\" is too far behind to be verified",
                               NameStr(flow->to->shard_name))));
}

// ---- buckets -----------------------------------------------------------------------------------

char *buckets_sql(const MoveTable *table, int buckets)
{
    const char *sample = buckets < bucket_count ? psprintf(" AND (%s & %d) < %d", table->key_hash,
                                                           bucket_count - 1, buckets)
                                                : "";
    return format_sql("SELECT %s & %d, count(*), sum(%s) FROM %s WHERE %s%s GROUP BY 1",
                      table->key_hash, bucket_count - 1, table->row_hash, table->name,
                      table->filter, sample);
}

int64 fill_buckets(const Rows *rows, Bucket *buckets)
{
    int64 total = 0;
    for (int i = 0; i < rows->count; i++) {
        Bucket *bucket = &buckets[atoi(rows->values[i][0])];
        bucket->rows = strtoll(rows->values[i][1], nullptr, 10);
        bucket->sum = rows->values[i][2];
        total += bucket->rows;
    }
    return total;
}

bool buckets_equal(const Bucket *a, const Bucket *b)
{
    return a->rows == b->rows && (a->rows == 0 || strcmp(a->sum, b->sum) == 0);
}

// The numbers of the buckets that differ, as a list of SQL; nullptr where none does.
char *compare_buckets(const Flow *flow, const MoveTable *table, int buckets, int64 *rows)
{
    char *sql = buckets_sql(table, buckets);
    Bucket *ours = (Bucket *)palloc0(sizeof(Bucket) * bucket_count);
    Bucket *theirs = (Bucket *)palloc0(sizeof(Bucket) * bucket_count);
    send(flow->from, sql); // both work at the same time
    send(flow->to, sql);
    Rows from = receive(flow->from);
    Rows to = receive(flow->to);
    *rows += fill_buckets(&from, ours);
    (void)fill_buckets(&to, theirs);
    StringInfoData list;
    initStringInfo(&list);
    for (int i = 0; i < bucket_count; i++)
        if (!buckets_equal(&ours[i], &theirs[i]))
            appendStringInfo(&list, "%s%d", list.len > 0 ? "," : "", i);
    return list.len > 0 ? list.data : nullptr;
}

// ---- rows --------------------------------------------------------------------------------------

RowHash *read_hashes(const Rows *rows)
{
    RowHash *hashes = (RowHash *)MemoryContextAllocHuge(CurrentMemoryContext,
                                                        sizeof(RowHash) * std::max(rows->count, 1));
    for (int i = 0; i < rows->count; i++)
        hashes[i] = {strtoll(rows->values[i][0], nullptr, 10),
                     strtoll(rows->values[i][1], nullptr, 10)};
    std::sort(hashes, hashes + rows->count, [](const RowHash &a, const RowHash &b) {
        return a.key != b.key ? a.key < b.key : a.row < b.row;
    });
    return hashes;
}

char *hashes_sql(const MoveTable *table, const char *condition, const char *tail)
{
    return format_sql("SELECT %s, %s FROM %s WHERE %s AND %s%s", table->key_hash, table->row_hash,
                      table->name, table->filter, condition, tail);
}

struct Difference {
    List *keys; // of int64 *
    int64 mismatched, missing, extra;
};

void note_key(Difference *difference, int64 key)
{
    if (difference->keys != NIL && *(int64 *)llast(difference->keys) == key)
        return;
    int64 *copy = (int64 *)palloc(sizeof(int64));
    *copy = key;
    difference->keys = lappend(difference->keys, copy);
}

// Merges both sides' sorted rows.
Difference compare_rows(const Rows *from, const Rows *to)
{
    Difference difference = {};
    RowHash *ours = read_hashes(from), *theirs = read_hashes(to);
    int i = 0, j = 0;
    while (i < from->count || j < to->count) {
        bool only_ours = j == to->count || (i < from->count && ours[i].key < theirs[j].key);
        bool only_theirs = i == from->count || (j < to->count && theirs[j].key < ours[i].key);
        if (!only_ours && !only_theirs) {
            if (ours[i].row != theirs[j].row) {
                difference.mismatched++;
                note_key(&difference, ours[i].key);
            }
            i++;
            j++;
        } else if (only_ours) {
            difference.missing++;
            note_key(&difference, ours[i++].key);
        } else {
            difference.extra++;
            note_key(&difference, theirs[j++].key);
        }
    }
    return difference;
}

// A condition that holds for the keys of these hashes.
char *keys_condition(const MoveTable *table, const List *keys, int first, int count)
{
    StringInfoData sql;
    initStringInfo(&sql);
    appendStringInfo(&sql, "%s = ANY ('{", table->key_hash);
    for (int i = first; i < std::min(first + count, list_length(keys)); i++)
        appendStringInfo(&sql, "%s" INT64_FORMAT, i > first ? "," : "",
                         *(const int64 *)list_nth(keys, i));
    appendStringInfoString(&sql, "}'::pg_catalog.int8[])");
    return sql.data;
}

// Rows that are being changed are locked: what the owner's side then says must arrive on the other
// side with the next marker.
Difference settle(const Flow *flow, const MoveTable *table, const List *keys)
{
    constexpr int keys_a_step = 2000;
    Difference total = {};
    ShardSession *locker = open_shard_session(flow->from_shard);
    for (int first = 0; first < list_length(keys); first += keys_a_step) {
        char *condition = keys_condition(table, keys, first, keys_a_step);
        Difference difference = {};
        // Rows that come into being between the two looks are not locked: look again.
        for (int attempt = 0; attempt < 3; attempt++) {
            (void)run(locker, "BEGIN; SET LOCAL lock_timeout = '5s'");
            Rows from = run(locker, hashes_sql(table, condition, " FOR SHARE"));
            await(flow, write_marker(flow));
            Rows to = run(flow->to, hashes_sql(table, condition, ""));
            (void)run(locker, "COMMIT");
            difference = compare_rows(&from, &to);
            if (difference.keys == NIL)
                break;
        }
        total.keys = list_concat(total.keys, difference.keys);
        total.mismatched += difference.mismatched;
        total.missing += difference.missing;
        total.extra += difference.extra;
    }
    close_shard_session(locker);
    return total;
}

// ---- the whole ---------------------------------------------------------------------------------

struct Pass {
    List *suspects; // a List of int64 * for each table
    int64 *rows;
    bool differs;
};

// Compares all tables under one pair of snapshots.
Pass compare_tables(const Flow *flow, int buckets)
{
    int n = list_length(flow->move->tables), number = 0;
    Pass pass = {NIL, (int64 *)palloc0(sizeof(int64) * (n + 1)), false};
    ListCell *cell;
    begin_snapshot(flow->from);
    // Written by another session: this one's snapshot is older than the marker.
    ShardSession *writer = open_shard_session(flow->from_shard);
    Flow marking = *flow;
    marking.from = writer;
    await(&marking, write_marker(&marking));
    close_shard_session(writer);
    begin_snapshot(flow->to);
    foreach (cell, flow->move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        List *suspects = NIL;
        char *differing = compare_buckets(flow, table, buckets, &pass.rows[number++]);
        if (differing != nullptr) {
            char *condition = psprintf("(%s & %d) = ANY ('{%s}'::pg_catalog.int8[])",
                                       table->key_hash, bucket_count - 1, differing);
            char *sql = hashes_sql(table, condition, "");
            send(flow->from, sql);
            send(flow->to, sql);
            Rows from = receive(flow->from);
            Rows to = receive(flow->to);
            suspects = compare_rows(&from, &to).keys;
            pass.differs = pass.differs || suspects != NIL;
        }
        pass.suspects = lappend(pass.suspects, suspects);
    }
    (void)run(flow->from, "COMMIT");
    (void)run(flow->to, "COMMIT");
    return pass;
}

char *show_keys(const List *keys)
{
    StringInfoData text;
    initStringInfo(&text);
    for (int i = 0; i < std::min(list_length(keys), keys_shown); i++)
        appendStringInfo(&text, "%s%016llx", i > 0 ? " " : "",
                         (unsigned long long)*(const int64 *)list_nth(keys, i));
    return text.data;
}

void record(const Flow *flow, const TableResult *result, const List *keys, double seconds)
{
    StringInfoData array;
    initStringInfo(&array);
    for (int i = 0; i < list_length(keys); i++)
        appendStringInfo(&array, "%s" INT64_FORMAT, i > 0 ? "," : "",
                         *(const int64 *)list_nth(keys, i));
    catalogf("INSERT INTO shardwise.move_verification (move_id, relation, rows, mismatched, "
             "missing, extra, key_hashes, seconds) VALUES (%d, %s, " INT64_FORMAT ", " INT64_FORMAT
             ", " INT64_FORMAT ", " INT64_FORMAT ", '{%s}', %f)",
             flow->move->id, quote_literal_cstr(result->table->name), result->rows,
             result->mismatched, result->missing, result->extra, array.data, seconds);
}

double seconds_since(TimestampTz start)
{
    return static_cast<double>(GetCurrentTimestamp() - start) / USECS_PER_SEC;
}

// Copies what a query yields; both sides work in text. Few rows: nothing here bounds the buffer.
uint64 relay(ShardSession *from, const char *query, ShardSession *to, const char *table,
             const char *columns)
{
    send(to, format_sql("COPY %s (%s) FROM STDIN", table, columns));
    (void)receive(to);
    send(from, format_sql("COPY (%s) TO STDOUT", query));
    (void)receive(from);
    char *data;
    int length;
    while ((length = PQgetCopyData(from->conn, &data, 0)) > 0) {
        int put = PQputCopyData(to->conn, data, length);
        PQfreemem(data);
        if (put <= 0)
            raise_shard_error(to, nullptr);
        CHECK_FOR_INTERRUPTS();
    }
    (void)receive(from);
    if (PQputCopyEnd(to->conn, nullptr) <= 0)
        raise_shard_error(to, nullptr);
    return receive(to).affected;
}

// The owner's rows are locked, all their changes have arrived: what the other side has of these
// keys is replaced.
void repair_table(const Flow *flow, const MoveTable *table, const char *hashes)
{
    char *condition = psprintf("%s AND %s = ANY (%s::pg_catalog.int8[])", table->filter,
                               table->key_hash, quote_literal_cstr(hashes));
    ShardSession *locker = open_shard_session(flow->from_shard);
    runf(locker, "BEGIN; SELECT 1 FROM %s WHERE %s FOR SHARE", table->name, condition);
    await(flow, write_marker(flow));
    (void)run(flow->to, "SET session_replication_role = replica");
    runf(flow->to, "BEGIN; DELETE FROM %s WHERE %s", table->name, condition);
    (void)relay(locker,
                format_sql("SELECT %s FROM %s WHERE %s", table->columns, table->name, condition),
                flow->to, table->name, table->columns);
    (void)run(flow->to, "COMMIT; SET session_replication_role = origin");
    (void)run(locker, "COMMIT");
    close_shard_session(locker);
}

} // namespace

Verification verify_flow(const Flow *flow, bool sampled)
{
    TimestampTz start = GetCurrentTimestamp();
    Verification total = {};
    Pass pass = compare_tables(flow, sampled ? sampled_buckets : bucket_count);
    if (sampled && pass.differs) {
        add_event(flow->move, "verification widened", "The sample differs: comparing all rows.");
        pass = compare_tables(flow, bucket_count);
    }
    catalogf("DELETE FROM shardwise.move_verification WHERE move_id = %d", flow->move->id);
    total.keys = pstrdup("");
    ListCell *cell;
    int number = 0;
    foreach (cell, flow->move->tables) {
        TableResult result = {(const MoveTable *)lfirst(cell), pass.rows[number], 0, 0, 0};
        List *suspects = (List *)list_nth(pass.suspects, number++);
        Difference difference = {};
        if (suspects != NIL)
            difference = settle(flow, result.table, suspects);
        result.mismatched = difference.mismatched;
        result.missing = difference.missing;
        result.extra = difference.extra;
        total.rows += result.rows;
        total.mismatched += result.mismatched;
        total.missing += result.missing;
        total.extra += result.extra;
        if (difference.keys != NIL)
            total.keys = psprintf("%s%s%s: %s", total.keys, total.keys[0] != '\0' ? "; " : "",
                                  result.table->name, show_keys(difference.keys));
        record(flow, &result, difference.keys, seconds_since(start));
    }
    total.seconds = seconds_since(start);
    return total;
}

int64 repair_flow(const Flow *flow)
{
    int64 repaired = 0;
    ListCell *cell;
    foreach (cell, flow->move->tables) {
        const MoveTable *table = (const MoveTable *)lfirst(cell);
        Rows rows = catalogf("SELECT key_hashes, cardinality(key_hashes) FROM "
                             "shardwise.move_verification WHERE move_id = %d "
                             "AND relation = %s AND key_hashes <> '{}'",
                             flow->move->id, quote_literal_cstr(table->name));
        if (rows.count == 0)
            continue;
        repair_table(flow, table, rows.values[0][0]);
        repaired += strtoll(rows.values[0][1], nullptr, 10);
    }
    return repaired;
}

} // namespace shardwise
