/* values: plain values between the core and Lua: texts, JSON, and errors that are
 * answers. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct lua_State;

/* Each adds its functions to the table on top of the stack. */
void bind_encode(struct lua_State *L);
void bind_json(struct lua_State *L);
void bind_text(struct lua_State *L);

/* A text; NULL data is nil. */
void push_bytes(struct lua_State *L, struct bytes bytes);

/* Pushes the JSON text of the value at the index; raises if it is no plain data. */
struct bytes json_encode(struct lua_State *L, int index);

/* Pushes the value, in which an empty list is marked as one; false: pushes a sentence that says what is wrong. */
bool json_decode(struct lua_State *L, struct bytes text);

/* Marks the table on top as a list: it is [] also when it is empty. */
void json_mark_list(struct lua_State *L);

/* Is the value at the index a text, or a number, which will do for one? */
bool text_given(struct lua_State *L, int index);

/* Its bytes. A number becomes a text in its place on the stack, with all its digits. */
struct bytes text_take(struct lua_State *L, int index);

/* Is the value at the index nil or JSON's null? */
bool json_absent(struct lua_State *L, int index);

/* The code of a request that is asked for more than is kept of it. */
#define REFUSAL_REQUEST_GONE "request_gone"

/* A refusal is an error that answers the request at hand with a status: raises one. */
int refusal_raise(struct lua_State *L, int status, const char *code, const char *message);

/* Is the error value at the index one? Then its parts, which it keeps. Makes no Lua value, so it cannot
 * raise. */
bool refusal_read(struct lua_State *L, int index, int *status, const char **code,
                  const char **message);
