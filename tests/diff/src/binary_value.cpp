#include "binary_value.hpp"

#include <cstdint>

namespace shardwise::diff
{

namespace
{

constexpr Oid record_oid = 2249;

// Reads the wire format from front to back; a value that is too short is taken as it is.
class Reader
{
public:
    explicit Reader(std::string_view bytes) : rest(bytes) {}

    uint32_t number(std::string &copy)
    {
        std::string_view four = bytes(4);
        copy += four;
        uint32_t value = 0;
        for (unsigned char c : four) {
            value = value << 8 | c;
        }
        return value;
    }

    Oid oid()
    {
        std::string ignored;
        return number(ignored);
    }

    std::string_view bytes(size_t length)
    {
        std::string_view result = rest.substr(0, length);
        rest.remove_prefix(result.size());
        return result;
    }

    std::string_view remaining() const { return rest; }

private:
    std::string_view rest;
};

// A value with its length in front: -1 stands for NULL.
void copy_element(Server &server, Oid type, Reader &reader, std::string &copy)
{
    auto length = static_cast<int32_t>(reader.number(copy));
    if (length >= 0) {
        copy += without_oids(server, type, reader.bytes(static_cast<size_t>(length)));
    }
}

void copy_elements(Server &server, Oid type, Reader &reader, std::string &copy)
{
    while (!reader.remaining().empty()) {
        copy_element(server, type, reader, copy);
    }
}

void copy_array(Server &server, Reader &reader, std::string &copy)
{
    uint32_t dimensions = reader.number(copy);
    reader.oid(); // whether there may be NULLs: a hint about storage, no part of the value
    Oid element = reader.oid();
    copy += server.type(element).name;
    for (uint32_t i = 0; i < 2 * dimensions; i++) {
        reader.number(copy);
    }
    copy_elements(server, element, reader, copy);
}

void copy_composite(Server &server, Reader &reader, std::string &copy)
{
    uint32_t fields = reader.number(copy);
    for (uint32_t i = 0; i < fields && !reader.remaining().empty(); i++) {
        Oid field = reader.oid();
        copy += server.type(field).name;
        copy_element(server, field, reader, copy);
    }
}

void copy_range(Server &server, Oid subtype, Reader &reader, std::string &copy)
{
    copy += reader.bytes(1); // flags
    copy_elements(server, subtype, reader, copy);
}

} // namespace

std::string without_oids(Server &server, Oid oid, std::string_view value)
{
    const Type type = server.type(oid);
    std::string copy;
    Reader reader(value);
    if (type.name.starts_with("reg") && value.size() == 4) {
        // regclass, regtype, ...: whatever it names on this server.
        return server.query("SELECT " + std::to_string(reader.oid()) + "::" + type.name)[0][0];
    }
    if (type.element != 0) {
        copy_array(server, reader, copy);
    } else if (type.kind == 'c' || oid == record_oid) {
        copy_composite(server, reader, copy);
    } else if (type.kind == 'r') {
        copy_range(server, type.base, reader, copy);
    } else if (type.kind == 'm') {
        reader.number(copy); // how many ranges
        copy_elements(server, type.base, reader, copy);
    } else if (type.kind == 'd') {
        return without_oids(server, type.base, value);
    }
    copy += reader.remaining();
    return copy;
}

} // namespace shardwise::diff
