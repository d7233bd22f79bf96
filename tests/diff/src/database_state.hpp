// The rows of all tables: saved after the schema is loaded, put back before each file and mode, and
// compared after it, shard by shard.
#pragma once

#include "server.hpp"

#include <map>
#include <string>
#include <vector>

namespace shardwise::diff
{

class DatabaseState
{
public:
    // `shards` by the names that the router knows them by.
    DatabaseState(Server &router, Server &plain, std::map<std::string, Server> &shards);

    // Saves every table's rows. Throws ServerFailure, as all of these.
    void save();

    // Puts the saved rows and sequence positions back.
    void restore();

    // Compares tables (rows, and whether each row is on its key's shard) and sequences; lists
    // what differs.
    std::vector<std::string> differences();

private:
    enum class Kind { Distributed, Reference, Local };
    struct KeyColumn {
        std::string name, type; // name quoted
    };
    struct Table {
        std::string name; // qualified, quoted
        Kind kind = Kind::Local;
        std::vector<KeyColumn> key;
    };

    Server &router_, &plain_;
    std::map<std::string, Server> &shards_;
    bool has_extension_;
    std::vector<std::string> saved_tables_;

    std::vector<std::string> table_names();
    std::vector<Table> tables();
    void save_on(Server &server, const std::vector<std::string> &names);
    void restore_on(Server &server, const std::vector<std::string> &names);
    std::vector<std::string> names(bool local);
    std::map<std::string, std::string> sequences(Server &server);
    void compare_table(const Table &table, std::vector<std::string> &differences);
    void check_placement(const Table &table, const std::string &shard, Server &server,
                         std::vector<std::string> &differences);
};

} // namespace shardwise::diff
