/* handle: what rules hold of the core's objects: userdata with a kind, fields
 * that are read when asked for, and methods. A misspelt field is an error that
 * names the nearest one. Every userdata that rule code can get is one of these. */
#pragma once

#include <stddef.h>

struct lua_State;

struct handle_member {
    const char *name;
    int field;                         /* for `get`, from 1; 0: a method */
    int (*method)(struct lua_State *L); /* self at index 1 */
};

struct handle_kind {
    const char *name; /* "request" */
    const struct handle_member *members; /* ends with a NULL name */
    int (*get)(struct lua_State *L, void *handle, int field); /* pushes; returns how many */
    size_t id; /* a place of its own below HANDLE_KINDS */
};

enum handle_id {
    HANDLE_REQUEST,
    HANDLE_HEADERS,
    HANDLE_EVENT,
    HANDLE_SEAT,
    HANDLE_TOPIC,
    HANDLE_NAME,
    HANDLE_FROZEN,
    HANDLE_LATCH,
    HANDLE_KINDS
};

/* Every handle's first member. */
struct handle {
    const struct handle_kind *kind;
};

/* Makes the kind known to the VM; leaves its metatable on the stack for more metamethods. */
void handle_define(struct lua_State *L, const struct handle_kind *kind);

/* A new userdata of this kind and size on the stack, its first member set, the rest zero. */
void *handle_new(struct lua_State *L, const struct handle_kind *kind, size_t size);

/* The handle at the index, or NULL if it is none of this kind. */
void *handle_test(struct lua_State *L, int index, const struct handle_kind *kind);

/* The same; raises "expected: request, got: nil". */
void *handle_check(struct lua_State *L, int index, const struct handle_kind *kind);
