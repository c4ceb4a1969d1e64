/* rows.c - the rows of statements, as lists of values or as records. */
#include "store.h"

enum { SPARE = 8 }; /* fields that a caller may add to a record before its table has to grow */

static void push_column(lua_State *L, sqlite3_stmt *statement, int at)
{
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER: store_push_integer(L, sqlite3_column_int64(statement, at)); return;
    case SQLITE_FLOAT: lua_pushnumber(L, sqlite3_column_double(statement, at)); return;
    case SQLITE_NULL: lua_pushnil(L); return;
    default: break;
    }
    const void *bytes = sqlite3_column_blob(statement, at);
    size_t len = (size_t)sqlite3_column_bytes(statement, at);
    lua_pushlstring(L, bytes != NULL ? bytes : "", len);
}

/* Pushes a row. `names`: where the stack has a table for what push_names left there. */
static void push_row(lua_State *L, sqlite3_stmt *statement, int names)
{
    (void)names;
    int count = sqlite3_column_count(statement);
    lua_createtable(L, count, 0);
    for (int at = 0; at < count; at++) {
        push_column(L, statement, at);
        lua_rawseti(L, -2, at + 1);
    }
}

static void push_record(lua_State *L, sqlite3_stmt *statement, int names)
{
    int count = sqlite3_column_count(statement);
    lua_createtable(L, 0, count + SPARE);
    for (int at = 0; at < count; at++) {
        lua_rawgeti(L, names, at + 1);
        push_column(L, statement, at);
        lua_rawset(L, -3);
    }
}

/* Pushes a list of the names of all columns. */
static void push_names(lua_State *L, sqlite3_stmt *statement)
{
    int count = sqlite3_column_count(statement);
    lua_createtable(L, count, 0);
    for (int at = 0; at < count; at++) {
        lua_pushstring(L, sqlite3_column_name(statement, at));
        lua_rawseti(L, -2, at + 1);
    }
}

struct listing {
    sqlite3_stmt *statement;
    void (*push)(lua_State *L, sqlite3_stmt *statement, int names);
    int code; /* of the last step */
};

/* (listing) -> the rows | nil, word, sentence */
static int list_rows(lua_State *L)
{
    struct listing *l = lua_touserdata(L, 1);
    push_names(L, l->statement);
    int names = lua_gettop(L);
    lua_newtable(L);
    for (int count = 1; l->code == SQLITE_ROW; l->code = sqlite3_step(l->statement)) {
        l->push(L, l->statement, names);
        lua_rawseti(L, -2, count++);
    }
    if (l->code == SQLITE_DONE) return 1;
    return store_failure(L, sqlite3_db_handle(l->statement), NULL, l->code);
}

/* To push rows may start the garbage collector, and a finalizer may close the database: it is
 * closed after this call. Where memory lacks, the statement is reset as well: otherwise it would
 * keep its snapshot of the database. */
static int list_all(lua_State *L, void (*push)(lua_State *L, sqlite3_stmt *statement, int names))
{
    struct store_database *self;
    struct listing l = {.push = push};
    int top = lua_gettop(L);
    lua_pushcfunction(L, list_rows);
    lua_pushlightuserdata(L, &l);
    int count = store_begin(L, top, &self, &l.statement);
    if (count > 0) return count;
    store_take(L);
    self->readers++;
    l.code = sqlite3_step(l.statement);
    bool raised = lua_pcall(L, 1, LUA_MULTRET, 0) != 0;
    store_give_back(L, self, l.statement);
    store_end_reading(self);
    return raised ? lua_error(L) : lua_gettop(L) - top;
}

/** database:rows(sql, …) -> a list of rows, each a list of values; nil, word, sentence */
int database_rows(lua_State *L)
{
    return list_all(L, push_row);
}

/** database:records(sql, …) -> a list of rows, each a table of values by the names of the columns;
 *  nil, word, sentence */
int database_records(lua_State *L)
{
    return list_all(L, push_record);
}
