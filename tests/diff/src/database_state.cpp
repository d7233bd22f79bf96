#include "database_state.hpp"

#include "outcome.hpp"

#include <algorithm>

namespace shardwise::diff
{

namespace
{

// Where each server keeps the saved rows.
const std::string saved_schema = "diff_saved";

std::string saved_table(size_t position)
{
    return saved_schema + ".\"" + std::to_string(position) + "\"";
}

std::string join(const std::vector<std::string> &items, const std::string &separator)
{
    std::string text;
    for (const std::string &item : items) {
        text += (text.empty() ? "" : separator) + item;
    }
    return text;
}

// The columns that an INSERT can set.
std::string insertable_columns(Server &server, const std::string &table)
{
    return server.query(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) "
        "FROM pg_attribute WHERE attrelid = " +
        quote_literal(table) +
        "::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''")[0][0];
}

std::vector<Row> rows_of(Server &server, const std::string &table)
{
    std::vector<Row> rows;
    for (auto &row : server.query("SELECT t::text FROM " + table + " t")) {
        rows.push_back({row[0]});
    }
    return rows;
}

void add_differences(std::vector<std::string> &all, const std::string &subject,
                     const std::vector<std::string> &differences)
{
    for (const std::string &difference : differences) {
        all.push_back(subject + ": " + difference);
    }
}

} // namespace

DatabaseState::DatabaseState(Server &router, Server &plain, std::map<std::string, Server> &shards)
    : router_(router), plain_(plain), shards_(shards), has_extension_(router.has_extension())
{
}

std::vector<std::string> DatabaseState::table_names()
{
    std::vector<std::string> names;
    for (auto &row : plain_.query(
             "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
             "JOIN pg_namespace n ON n.oid = c.relnamespace "
             "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' "
             "AND n.nspname NOT IN ('pg_catalog', 'information_schema', '" +
             saved_schema + "') ORDER BY 1")) {
        names.push_back(row[0]);
    }
    return names;
}

std::vector<DatabaseState::Table> DatabaseState::tables()
{
    std::map<std::string, Table> distributed;
    if (has_extension_) {
        for (auto &row : router_.query(
                 "SELECT format('%I.%I', n.nspname, c.relname), d.keyspace_id IS NOT NULL, "
                 "quote_ident(a.attname), format_type(a.atttypid, a.atttypmod) "
                 "FROM shardwise.distribution d JOIN pg_class c ON c.oid = d.relation "
                 "JOIN pg_namespace n ON n.oid = c.relnamespace "
                 "LEFT JOIN LATERAL unnest(d.key_columns) WITH ORDINALITY k (name, position) "
                 "ON true LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = k.name "
                 "ORDER BY k.position")) {
            Table &table = distributed[row[0]];
            table.name = row[0];
            table.kind = row[1] == "t" ? Kind::Distributed : Kind::Reference;
            table.key.push_back({row[2], row[3]});
        }
    }
    std::vector<Table> result;
    for (const std::string &name : table_names()) {
        auto found = distributed.find(name);
        result.push_back(found == distributed.end() ? Table{name, Kind::Local, {}} : found->second);
    }
    return result;
}

std::vector<std::string> DatabaseState::names(bool local)
{
    std::vector<std::string> names;
    for (const Table &table : tables()) {
        if ((table.kind == Kind::Local) == local) {
            names.push_back(table.name);
        }
    }
    return names;
}

void DatabaseState::save_on(Server &server, const std::vector<std::string> &names)
{
    server.query("DROP SCHEMA IF EXISTS " + saved_schema + " CASCADE");
    server.query("CREATE SCHEMA " + saved_schema);
    for (size_t i = 0; i < names.size(); i++) {
        server.query("CREATE TABLE " + saved_table(i) + " AS SELECT " +
                     insertable_columns(server, names[i]) + " FROM " + names[i]);
    }
}

void DatabaseState::restore_on(Server &server, const std::vector<std::string> &names)
{
    if (names.empty()) {
        return;
    }
    // As a replica: neither triggers nor foreign keys act on the copy.
    std::string sql =
        "BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE " + join(names, ", ") + ";";
    for (size_t i = 0; i < names.size(); i++) {
        std::string columns = insertable_columns(server, names[i]);
        sql += "INSERT INTO " + names[i] + " (" + columns + ") OVERRIDING SYSTEM VALUE SELECT " +
               columns + " FROM " + saved_table(i) + ";";
    }
    server.query(sql + "COMMIT");
}

void DatabaseState::save()
{
    saved_tables_ = table_names();
    save_on(plain_, saved_tables_);
    save_on(router_, names(true));
    for (auto &[name, shard] : shards_) {
        save_on(shard, names(false));
    }
    for (Server *server : {&router_, &plain_}) {
        server->query("CREATE TABLE " + saved_schema +
                      ".sequences AS SELECT format('%I.%I', schemaname, sequencename) AS name, "
                      "start_value, last_value FROM pg_sequences WHERE schemaname <> 'shardwise'");
    }
}

void DatabaseState::restore()
{
    if (table_names() != saved_tables_) {
        throw ServerFailure("the previous file left tables behind, or dropped some");
    }
    restore_on(plain_, saved_tables_);
    restore_on(router_, names(true));
    for (auto &[name, shard] : shards_) {
        restore_on(shard, names(false));
    }
    for (Server *server : {&router_, &plain_}) {
        server->query("SELECT setval(name::regclass, coalesce(last_value, start_value), "
                      "last_value IS NOT NULL) FROM " +
                      saved_schema + ".sequences");
    }
}

std::map<std::string, std::string> DatabaseState::sequences(Server &server)
{
    std::map<std::string, std::string> values;
    for (auto &row : server.query("SELECT format('%I.%I', schemaname, sequencename), "
                                  "coalesce(last_value::text, 'unused') FROM pg_sequences "
                                  "WHERE schemaname <> 'shardwise'")) {
        values.emplace(row[0], row[1]);
    }
    return values;
}

// A row whose key another shard owns would be found by no query.
void DatabaseState::check_placement(const Table &table, const std::string &shard, Server &server,
                                    std::vector<std::string> &differences)
{
    std::vector<std::string> columns, names, arguments;
    for (const KeyColumn &column : table.key) {
        columns.push_back(column.name + "::text");
        names.push_back("k" + std::to_string(names.size()));
        arguments.push_back(names.back() + "::" + column.type);
    }
    std::vector<std::string> keys;
    for (auto &row :
         server.query("SELECT DISTINCT " + join(columns, ", ") + " FROM " + table.name)) {
        std::transform(row.begin(), row.end(), row.begin(), quote_literal);
        keys.push_back("(" + join(row, ", ") + ")");
    }
    if (keys.empty()) {
        return;
    }
    std::string locate =
        "shardwise.locate(" + quote_literal(table.name) + ", " + join(arguments, ", ") + ")";
    for (auto &row :
         router_.query("SELECT ROW(" + join(names, ", ") + "), " + locate + " FROM (VALUES " +
                       join(keys, ", ") + ") v (" + join(names, ", ") + ")")) {
        if (row[1] != shard) {
            differences.push_back(table.name + ": key " + row[0] + " is on shard " + shard +
                                  " but belongs on " + row[1]);
        }
    }
}

void DatabaseState::compare_table(const Table &table, std::vector<std::string> &differences)
{
    const std::vector<Row> plain = rows_of(plain_, table.name);
    if (table.kind == Kind::Local) {
        add_differences(differences, table.name,
                        compare_rows(rows_of(router_, table.name), plain, false, false));
        return;
    }
    // Its size, not its rows: a query would be answered by the shards. VACUUM takes away what was
    // stored for deferred triggers and deleted again.
    std::string name = quote_literal(table.name);
    auto size = [&] {
        return router_.query("SELECT pg_relation_size(" + name +
                             ") + coalesce((SELECT "
                             "sum(pg_relation_size(relid)) FROM pg_partition_tree(" +
                             name + ")), 0)")[0][0];
    };
    if (size() != "0") {
        router_.query("VACUUM (ANALYZE false) " + table.name);
    }
    if (size() != "0") {
        differences.push_back(table.name + ": the router's own table is not empty");
    }
    std::vector<Row> all;
    for (auto &[name, shard] : shards_) {
        std::vector<Row> rows = rows_of(shard, table.name);
        if (table.kind == Kind::Reference) {
            add_differences(differences, table.name + " on shard " + name,
                            compare_rows(std::move(rows), plain, false, false));
        } else {
            all.insert(all.end(), rows.begin(), rows.end());
            check_placement(table, name, shard, differences);
        }
    }
    if (table.kind == Kind::Distributed) {
        add_differences(differences, table.name, compare_rows(std::move(all), plain, false, false));
    }
}

std::vector<std::string> DatabaseState::differences()
{
    std::vector<std::string> differences;
    for (const Table &table : tables()) {
        compare_table(table, differences);
    }
    auto router = sequences(router_), plain = sequences(plain_);
    for (auto &[name, value] : plain) {
        if (router[name] != value) {
            differences.push_back("sequence " + name + ": router " + router[name] + " | plain " +
                                  value);
        }
    }
    return differences;
}

} // namespace shardwise::diff
