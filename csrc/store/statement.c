/* statement.c - statements: prepared once, given their parameters, and run. */
#include "store.h"

enum { SELF = 1, SQL, FIELDS, RECORDS, COMMON };

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

/* Sets what the table on top of the stack holds for the text at SQL. */
static void set_known(lua_State *L, sqlite3_stmt *statement)
{
    lua_pushvalue(L, SQL);
    lua_pushlightuserdata(L, statement);
    lua_rawset(L, -3);
}

/* Finds or prepares the statement of the text at SQL. Leaves the stack as it was. */
static int prepare(lua_State *L, sqlite3 *handle, sqlite3_stmt **statement)
{
    size_t len;
    const char *sql = luaL_checklstring(L, SQL, &len);
    luaL_argcheck(L, len < INT32_MAX, SQL, "too long");
    *statement = known_statement(L);
    int code = SQLITE_OK;
    if (*statement == NULL) {
        set_known(L, NULL); /* there is room for it: no error below loses a statement */
        code = sqlite3_prepare_v3(handle, sql, (int)len + 1, SQLITE_PREPARE_PERSISTENT, statement,
                                  NULL);
        set_known(L, *statement);
    }
    lua_pop(L, 1);
    return code;
}

void store_take(lua_State *L)
{
    (void)known_statement(L);
    set_known(L, NULL);
    lua_pop(L, 1);
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

/* Resets a statement, which then keeps no pointer to a string of Lua's. */
void store_rest(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
}

void store_give_back(lua_State *L, struct store_database *self, sqlite3_stmt *statement)
{
    store_rest(statement);
    bool has_other = known_statement(L) != NULL || self->is_closing;
    if (has_other)
        (void)sqlite3_finalize(statement);
    else
        set_known(L, statement);
    lua_pop(L, 1);
}

/* Binds the values that follow SQL on the stack, up to `top`. An error of Lua's may have left the
 * statement in the middle of its rows. */
static int bind_all(lua_State *L, sqlite3_stmt *statement, int top)
{
    int count = top - SQL;
    store_rest(statement);
    luaL_argcheck(L, count <= sqlite3_bind_parameter_count(statement), SQL,
                  "more values than parameters");
    for (int at = 1; at <= count; at++) {
        int code = bind_one(L, statement, SQL + at, at);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

/* Pushes the field of a record whose name is there in the list at FIELDS, or else that of the table
 * at COMMON. */
static void push_field(lua_State *L, int record, int at)
{
    lua_rawgeti(L, FIELDS, at);
    lua_pushvalue(L, -1);
    lua_rawget(L, record);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_rawget(L, COMMON);
    } else {
        lua_remove(L, -2);
    }
}

/* Binds fields of the record on top of the stack. The tables keep the strings. */
static int bind_fields(lua_State *L, sqlite3_stmt *statement, int width)
{
    int record = lua_gettop(L);
    (void)sqlite3_reset(statement);
    for (int at = 1; at <= width; at++) {
        push_field(L, record, at);
        int code = bind_one(L, statement, lua_gettop(L), at);
        lua_pop(L, 1);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

void store_push_integer(lua_State *L, sqlite3_int64 value)
{
    bool has_wide = LUA_VERSION_NUM >= 503 && sizeof(lua_Integer) >= sizeof value;
    if (has_wide || (value >= INT32_MIN && value <= INT32_MAX))
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnumber(L, (lua_Number)value);
}

/* Begins a call: the database and its statement. Returns 0, or the number of results of a failure.
 */
static int find(lua_State *L, struct store_database **self, sqlite3_stmt **statement)
{
    *self = store_open_database(L);
    if (*self == NULL) return 3;
    int code = prepare(L, (*self)->handle, statement);
    return code == SQLITE_OK ? 0 : store_failure(L, (*self)->handle, NULL, code);
}

int store_begin(lua_State *L, int top, struct store_database **self, sqlite3_stmt **statement)
{
    int count = find(L, self, statement);
    if (count > 0) return count;
    int code = bind_all(L, *statement, top);
    return code == SQLITE_OK ? 0 : store_failure(L, (*self)->handle, NULL, code);
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

/** database:run(sql, …) -> how many rows were changed; the number of the newest row that was added
 *  | nil, word, sentence. The values are the parameters of the statement, whose rows are passed
 *  over. */
int database_run(lua_State *L)
{
    struct store_database *self;
    sqlite3_stmt *statement;
    int count = store_begin(L, lua_gettop(L), &self, &statement);
    if (count > 0) return count;
    int code = finish(statement);
    if (code != SQLITE_DONE) return store_failure(L, self->handle, statement, code);
    store_rest(statement);
    lua_pushinteger(L, sqlite3_changes(self->handle));
    store_push_integer(L, sqlite3_last_insert_rowid(self->handle));
    return 2;
}

/* Runs a statement for the record on top of the stack. */
static int run_for(lua_State *L, sqlite3_stmt *statement, int width)
{
    luaL_argcheck(L, lua_istable(L, -1), RECORDS, "not a list of tables");
    int code = bind_fields(L, statement, width);
    return code == SQLITE_OK ? finish(statement) : code;
}

/** database:run_each(sql, fields, records, common) -> a list: did each run change a row? | nil,
 *  word, sentence. Runs a statement for each record. Its parameters are fields of the record, or
 *  where it has none of the table `common`; `fields` has their names. */
int database_run_each(lua_State *L)
{
    struct store_database *self;
    sqlite3_stmt *statement;
    for (int at = FIELDS; at <= COMMON; at++)
        luaL_checktype(L, at, LUA_TTABLE);
    int runs = (int)lcompat_rawlen(L, RECORDS), code = SQLITE_DONE;
    lua_settop(L, COMMON);
    lua_createtable(L, runs, 0); /* no garbage is collected after this */
    int count = find(L, &self, &statement);
    if (count > 0) return count;
    int width = sqlite3_bind_parameter_count(statement);
    for (int i = 1; i <= runs && code == SQLITE_DONE; i++) {
        lua_rawgeti(L, RECORDS, i);
        code = run_for(L, statement, width);
        lua_pop(L, 1);
        lua_pushboolean(L, sqlite3_changes(self->handle) > 0);
        lua_rawseti(L, -2, i);
    }
    if (code != SQLITE_DONE) return store_failure(L, self->handle, statement, code);
    store_rest(statement);
    return 1;
}
