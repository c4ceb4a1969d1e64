/* lvalue.c - values between Lua and the core: arguments, fields of table 1, results. */
#include "lsmtp.h"

int word_field(lua_State *L, const char *key, const char *otherwise, const char *const words[])
{
    lua_getfield(L, 1, key);
    int word = luaL_checkoption(L, -1, otherwise, words);
    lua_pop(L, 1);
    return word;
}

unsigned extensions_field(lua_State *L, const char *key, const char *word)
{
    unsigned found = 0;
    int top = lua_gettop(L);
    lua_getfield(L, 1, key);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    for (lua_pushnil(L); lua_next(L, top + 1); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, 1, key);
        size_t len;
        const char *keyword = lua_tolstring(L, -2, &len);
        unsigned ext = smtp_extension_find(keyword, len);
        luaL_argcheck(L, ext != 0, 1, key);
        if (strcmp(lua_tostring(L, -1), word) == 0) found |= ext;
    }
    lua_settop(L, top);
    return found;
}

void push_integer(lua_State *L, size_t number)
{
    lua_pushinteger(L, (lua_Integer)number);
}

void push_enhanced(lua_State *L, const uint16_t status[3])
{
    char text[3 * (SMTP_DECIMAL_MAX + 1)], *at = text;
    for (size_t i = 0; i < 3; i++) {
        at += smtp_decimal(at, status[i]);
        *at++ = '.';
    }
    lua_pushlstring(L, text, (size_t)(at - text) - 1);
}

void set_answer(lua_State *L, const struct smtp_answer *answer)
{
    if (answer->code != 0) set_number(L, "code", answer->code);
    if (answer->enhanced[0] != 0) {
        push_enhanced(L, answer->enhanced);
        lua_setfield(L, -2, "enhanced");
    }
    if (answer->code != 0 || answer->text_len > 0)
        set_text(L, "text", answer->text, answer->text_len);
}

int push_trouble(lua_State *L, const struct smtp_trouble *trouble)
{
    if (trouble->error == SMTP_ERROR_NONE) return 0;
    lua_createtable(L, 0, 8);
    set_answer(L, &trouble->answer);
    const struct smtp_error_words *words = &smtp_errors[trouble->error];
    set_string(L, "kind", words->kind);
    set_string(L, "reason", words->reason);
    set_string(L, "sentence", words->sentence);
    if (words->is_note) set_flag(L, "is_note", true);
    set_string(L, "stage", trouble->stage);
    return 1;
}
