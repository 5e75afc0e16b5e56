/* objects: what hooks are called with: the request, the event, the subscriber,
 * a topic, frozen data. Each pushing function pushes one value. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

struct atom;
struct farewell;
struct lua_State;
struct plan_topic;
struct running;
struct seat;

/* Each makes its kinds known to the VM and adds its functions to the table on top. */
void bind_event(struct lua_State *L);
void bind_frozen(struct lua_State *L);
void bind_request(struct lua_State *L);
void bind_seat(struct lua_State *L);
void bind_topic(struct lua_State *L);

void request_push(struct lua_State *L, struct running *running);
void event_push(struct lua_State *L, struct running *running);
void seat_push(struct lua_State *L, struct seat *seat);

/* Whom the call at hand is about, for echoes: its request's or seat's user, its event's key, and the
 * tag; data NULL: nobody, none. */
struct bytes request_user(const struct running *running);
struct bytes request_tag(const struct running *running);

/* The JSON text that an atom holds as a value that cannot be changed; nil for NULL. Decoded once
 * for as long as anyone uses it. */
void frozen_push(struct lua_State *L, struct atom *json);

/* The text that a frozen value at the index was made of; NULL if it is none, or only a part. */
struct atom *frozen_text(struct lua_State *L, int index);

/* Pushes the table that a frozen value stands for; false: the value at the index is none. */
bool frozen_table(struct lua_State *L, int index);

/* How a stream is to end: nil, or { event =, data =, final = } at the index. The bytes live on the stack, where
 * some values stay. `call` is what the rule wrote, for errors. */
void farewell_take(struct lua_State *L, const char *call, int index, struct farewell *farewell);

/* The handle of a declared topic; topic_declared_at: NULL if it is none. */
void topic_push(struct lua_State *L, struct plan_topic *topic);
struct plan_topic *topic_declared_at(struct lua_State *L, int index);

/* The topic that the value at the index names: a handle, or a name as text. The bytes live as long
 * as the value. False: neither. */
bool topic_name_at(struct lua_State *L, int index, struct bytes *name);
