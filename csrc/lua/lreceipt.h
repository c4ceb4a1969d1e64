/* lreceipt.h - receipts, for the files whose functions make them. */
#ifndef LRECEIPT_H
#define LRECEIPT_H

#include "lsmtp.h"

#pragma GCC visibility push(hidden)

/* Adds methods to a class that has some; these may call the functions below. */
void add_receipt_methods(lua_State *L, const char *class_name, const luaL_Reg *methods);

/* Can a receipt be made of the transaction alone: is it over, was the message accepted, and is
 * nothing left to do? */
bool receipt_is_whole(const struct smtp_transaction *m);

/* What transaction:receipt() returns, pushed. Returns how many values. */
int push_receipt(lua_State *L, const struct smtp_transaction *m);

/* What the receipts share that a call makes: values on the stack, from here on. */
struct receipts {
    int shared;
};

/* Pushes them, from the table at `parts`: see smtp.result.receipt. */
void receipts_begin(lua_State *L, int parts, struct receipts *r);

/* Pushes the receipt of a transaction that needs nothing but to be sent. `id`: of a composed
 * message, else empty. Returns whether it names recipients that were refused, of which Lua says
 * more. */
bool receipts_push(lua_State *L, const struct receipts *r, const struct smtp_transaction *m,
                   double seconds, struct smtp_text id);

#pragma GCC visibility pop

#endif
