/* statement.c - statements: prepared once, given their parameters, and run. */
#include "store.h"

enum { SELF = 1, SQL, VALUES, COUNT };

enum { SPARE = 8 }; /* fields that a caller may add to a record before its table has to grow */

/* Pushes the table of what a database has prepared, and what it holds for the text at SQL. */
static sqlite3_stmt *known_statement(lua_State *L)
{
    lua_getuservalue(L, SELF);
    lua_pushvalue(L, SQL);
    lua_rawget(L, -2);
    sqlite3_stmt *statement = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return statement;
}

/* Finds or prepares the statement of the text at SQL. Leaves the stack as it was. A finalizer that
 * runs while its rows are read gets a statement of its own: no garbage is collected between this
 * and the first step, which makes the statement busy. */
static int prepare(lua_State *L, struct store_database *self, sqlite3_stmt **statement)
{
    size_t len;
    const char *sql = luaL_checklstring(L, SQL, &len);
    luaL_argcheck(L, len < INT32_MAX, SQL, "too long");
    *statement = known_statement(L);
    int code = SQLITE_OK;
    bool is_taken = *statement != NULL && self->readers > 0 && sqlite3_stmt_busy(*statement);
    if (*statement == NULL || is_taken) {
        lua_pushvalue(L, SQL);
        lua_pushlightuserdata(L, NULL); /* there is room for it: no error below loses a statement */
        lua_rawset(L, -3);
        code = sqlite3_prepare_v3(self->handle, sql, (int)len + 1, SQLITE_PREPARE_PERSISTENT,
                                  statement, NULL);
        lua_pushvalue(L, SQL);
        lua_pushlightuserdata(L, *statement);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
    return code;
}

/* Whole numbers that a double holds exactly are integers of SQL. */
static int bind_number(sqlite3_stmt *statement, int at, lua_Number number)
{
    bool whole = number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
                 (lua_Number)(sqlite3_int64)number == number;
    if (whole) return sqlite3_bind_int64(statement, at, (sqlite3_int64)number);
    return sqlite3_bind_double(statement, at, (double)number);
}

/* A string is text of any bytes; it stays on the stack of Lua until the statement is reset. */
static int bind_one(lua_State *L, sqlite3_stmt *statement, int index, int at)
{
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL: return sqlite3_bind_null(statement, at);
    case LUA_TBOOLEAN: return sqlite3_bind_int(statement, at, lua_toboolean(L, index));
    case LUA_TNUMBER: return bind_number(statement, at, lua_tonumber(L, index));
    default: break;
    }
    size_t len;
    const char *text = luaL_checklstring(L, index, &len);
    return sqlite3_bind_text64(statement, at, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

/* The statement keeps no pointer to a string of Lua's. */
static void rest(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

/* Binds the values that follow SQL on the stack, up to `top`. An error of Lua's may have left the
 * statement in the middle of its rows. */
static int bind_all(lua_State *L, sqlite3_stmt *statement, int top)
{
    int count = top - SQL;
    rest(statement);
    luaL_argcheck(L, count <= sqlite3_bind_parameter_count(statement), SQL,
                  "more values than parameters");
    for (int at = 1; at <= count; at++) {
        int code = bind_one(L, statement, SQL + at, at);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

/* Binds values of the list at VALUES, which keeps the strings. */
static int bind_from(lua_State *L, sqlite3_stmt *statement, int first, int width)
{
    (void)sqlite3_reset(statement);
    for (int at = 1; at <= width; at++) {
        lua_rawgeti(L, VALUES, first + at);
        int code = bind_one(L, statement, lua_gettop(L), at);
        lua_pop(L, 1);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

static void push_integer(lua_State *L, sqlite3_int64 value)
{
    bool has_wide = LUA_VERSION_NUM >= 503 && sizeof(lua_Integer) >= sizeof value;
    if (has_wide || (value >= INT32_MIN && value <= INT32_MAX))
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnumber(L, (lua_Number)value);
}

static void push_column(lua_State *L, sqlite3_stmt *statement, int at)
{
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER: push_integer(L, sqlite3_column_int64(statement, at)); return;
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

/* Begins a call: the database and its statement. Returns 0, or the number of results of a failure.
 */
static int find(lua_State *L, struct store_database **self, sqlite3_stmt **statement)
{
    *self = store_open_database(L);
    if (*self == NULL) return 3;
    int code = prepare(L, *self, statement);
    return code == SQLITE_OK ? 0 : store_failure(L, (*self)->handle, code);
}

/* The same, with the values for its parameters, the last of which is at `top` of the stack. */
static int begin(lua_State *L, int top, struct store_database **self, sqlite3_stmt **statement)
{
    int count = find(L, self, statement);
    if (count > 0) return count;
    int code = bind_all(L, *statement, top);
    return code == SQLITE_OK ? 0 : store_failure(L, (*self)->handle, code);
}

/* Runs a statement to its end, its rows passed over. */
static int finish(sqlite3_stmt *statement)
{
    int code;
    do
        code = sqlite3_step(statement);
    while (code == SQLITE_ROW);
    return code;
}

/* The words of a failure are read before the statement is reset for the next call. */
static int fail(lua_State *L, struct store_database *self, sqlite3_stmt *statement, int code)
{
    int count = store_failure(L, self->handle, code);
    rest(statement);
    return count;
}

/** database:run(sql, …) -> how many rows were changed; the number of the newest row that was added
 *  | nil, word, sentence. The values are the parameters of the statement, whose rows are passed
 *  over. */
int database_run(lua_State *L)
{
    struct store_database *self;
    sqlite3_stmt *statement;
    int count = begin(L, lua_gettop(L), &self, &statement);
    if (count > 0) return count;
    int code = finish(statement);
    if (code != SQLITE_DONE) return fail(L, self, statement, code);
    rest(statement);
    lua_pushinteger(L, sqlite3_changes(self->handle));
    push_integer(L, sqlite3_last_insert_rowid(self->handle));
    return 2;
}

/** database:run_each(sql, values, count) -> a list: how many rows each run changed | nil, word,
 *  sentence. Runs a statement `count` times; `values` has the parameters of one run after those of
 *  the other. */
int database_run_each(lua_State *L)
{
    struct store_database *self;
    sqlite3_stmt *statement;
    luaL_checktype(L, VALUES, LUA_TTABLE);
    int runs = (int)lcompat_count(L, COUNT, INT32_MAX);
    lua_settop(L, COUNT);
    lua_createtable(L, runs, 0); /* no garbage is collected after this */
    int count = find(L, &self, &statement);
    if (count > 0) return count;
    int width = sqlite3_bind_parameter_count(statement), code = SQLITE_DONE;
    for (int i = 0; i < runs && code == SQLITE_DONE; i++) {
        code = bind_from(L, statement, i * width, width);
        if (code == SQLITE_OK) code = finish(statement);
        lua_pushinteger(L, sqlite3_changes(self->handle));
        lua_rawseti(L, -2, i + 1);
    }
    if (code != SQLITE_DONE) return fail(L, self, statement, code);
    rest(statement);
    return 1;
}

struct listing {
    sqlite3_stmt *statement;
    void (*push)(lua_State *L, sqlite3_stmt *statement, int names);
    int code; /* of the last step */
};

/* (listing) -> the rows */
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
    return 1;
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
    int count = begin(L, top, &self, &l.statement);
    if (count > 0) return count;
    self->readers++;
    l.code = sqlite3_step(l.statement);
    bool raised = lua_pcall(L, 1, 1, 0) != 0;
    count = raised || l.code == SQLITE_DONE ? 1 : store_failure(L, self->handle, l.code);
    rest(l.statement);
    store_end_reading(self);
    return raised ? lua_error(L) : count;
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
