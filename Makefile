# shardwise: PostgreSQL extension (PGXS) and the entry to everything else.
#
#   make                 build the extension
#   make install         install it into the PostgreSQL that PG_CONFIG names
#   make installcheck    regression tests on a temporary server
#   make demo            one router and three shards on this machine, and the main job
#   make test            every test there is (installs what is missing)
#   make bench           speed, routed against direct

MODULE_big = shardwise
EXTENSION  = shardwise
DATA       = $(wildcard sql/shardwise--*.sql)
SOURCES    = $(wildcard src/*.cpp) $(foreach room,pg core monitor catalog remote routing \
             transaction planner executor ddl reshard,$(wildcard src/$(room)/*.cpp))
OBJS       = $(SOURCES:.cpp=.o)

PG_CONFIG ?= pg_config

# Targets that must work before PostgreSQL is installed do not load PGXS.
ENTRY_GOALS := demo test bench
ifneq ($(filter $(ENTRY_GOALS),$(MAKECMDGOALS)),)

.PHONY: $(ENTRY_GOALS)
demo:
	@tests/demo
test:
	@tests/run
bench:
	@tests/bench/run
	@tests/bench/scatter
	@tests/bench/moves
	@tests/bench/bulk

else

# The temporary server's databases are UTF-8 whatever the caller's locale.
export LANG := C.UTF-8
REGRESS      = $(patsubst sql/%.sql,%,$(filter-out sql/shardwise--%,$(sort $(wildcard sql/*.sql))))
REGRESS_OPTS = --temp-instance=./tmp_check --temp-config=tests/regress.conf --load-extension=shardwise

PG_CPPFLAGS  = -Isrc -isystem $(shell $(PG_CONFIG) --includedir)
SHLIB_LINK   = -lpq -lstdc++
EXTRA_CLEAN  = $(SOURCES:.cpp=.d) build tmp_check results

# clang 14 cannot read libstdc++ 12's headers, so there is no bitcode.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

WARNINGS ?= -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-cast-function-type
# The server's headers are system headers here: some of their C is not clean C++20.
override CPPFLAGS := -Isrc -isystem $(includedir_server) -isystem $(includedir_internal) -isystem $(includedir) -D_GNU_SOURCE
override CXXFLAGS := -std=c++20 -O2 -g -fPIC -fno-strict-aliasing -fwrapv -fvisibility=hidden \
                     -fno-omit-frame-pointer $(WARNINGS) $(EXTRA_CXXFLAGS)
override COMPILER = $(CXX) $(CXXFLAGS)

%.o: %.cpp
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

-include $(SOURCES:.cpp=.d)

# The client program is built by CMake (cmake -B build && make -C build); installed where it is there.
ifneq ($(wildcard build/shardctl),)
install: install-shardctl
install-shardctl:
	$(MKDIR_P) '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)/man1'
	$(INSTALL_PROGRAM) build/shardctl '$(DESTDIR)$(bindir)'
	$(INSTALL_DATA) docs/shardctl.1 '$(DESTDIR)$(mandir)/man1'
.PHONY: install-shardctl
endif

endif
