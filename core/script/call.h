/* call: one call of a rule's function: what it was called with, what it answered,
 * what it emitted. Implements the engine's hooks, and the library's background
 * tasks, over tasks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "engine/hooks.h"
#include "event/cursor.h"
#include "ports/later.h"
#include "script/batch.h"
#include "script/phase.h"
#include "script/task.h"

struct lua_State;
struct vm;

/* Owned by its VM's calls; used again. */
struct running {
    struct task task;
    struct list _node; /* in one of calls' lists, or in none while it runs */
    struct vm *vm;
    enum phase phase;
    struct hook_call call;
    hook_done_f *done;
    void *owner;
    uint64_t begun_ms, deadline_ms;
    bool cancelled;
    uint64_t refusals_before; /* what the quota had refused when it began */
    struct batch batch;
    struct hook_result result;
    struct buf text, again; /* what the result's bytes may point into */
    struct places published; /* and its places */
    struct bytes *names;   /* arrays that the result may point to */
    struct http_header *headers;
    size_t name_capacity, header_capacity;
    int function, after;   /* background: registry references; LUA_NOREF: none */
    bool before_returned;  /* background: what `after` is called with */
    char what[64];         /* background: its name */
    uint64_t cause;        /* script/cause.h; 0: not noted yet */
};

struct calls {
    struct hooks hooks; /* first, so that the engine's pointer is ours */
    struct vm *_vm;
    struct list _idle;     /* with a coroutine, the last used last */
    struct list _bare;     /* without */
    struct list _starting; /* background tasks of this turn, */
    struct list _begun;    /* and older ones */
    struct job _start;
    uint32_t _idle_count;
    bool _closing;
    uint32_t background; /* alive, or about to be */
};

void calls_create(struct calls *calls, struct vm *vm);

/* Cancels all background tasks, and lets none begin any more. */
void calls_close(struct calls *calls);

/* After calls_close and tasks_destroy. */
void calls_destroy(struct calls *calls);

/* Hands out what the call has emitted so far: to its app or, in a shadow, to be compared. */
void call_publish(struct running *running);

/* What the call has emitted so far, to be handed out; see batch_settle. */
const struct app_emit *call_settle_batch(struct running *running);

/* publishing.c: hands it out where that may have to be waited for: when the call's function has returned, as
 * task_events.settle, and in the midst of it: then what is collected is nothing or a code and a sentence. */
int call_settle(struct task *task, struct lua_State *L);
int call_flush(struct running *running, struct lua_State *L);

/* Goes on to the next event of the publication that the call is for, and pushes its handler. The call is
 * that handler's from then on: what it costs, emits and fails with is its own. False: that was all of
 * them. */
bool call_next_event(struct running *running, struct lua_State *L);

/* The call whose code runs right now, or NULL. */
struct running *call_running(struct vm *vm);

/* Starts a task of the library's own at the end of the turn: it calls the function at `index`. Once
 * that has ended, however it ended, the function at `after` (0: none) is called in a task of its
 * own, with true if it returned, else false. `what` names it in the log; `of` is the hook whose
 * function it calls, which answers for its failures (0: none). False: too many. May raise. */
bool call_background(struct lua_State *L, const char *what, int index, int after,
                     uint64_t deadline_ms, hook of);

/* Is this VM retired: a background task that was under way is cancelled, and none begins any more? */
bool call_retired(struct lua_State *L);

/* arguments.c: pushes what the hook of this kind is called with; returns how many. */
int call_push_arguments(struct running *running, struct lua_State *L);

/* result.c: reads what it returned into running->result; raises if it is of no use. Returns how many
 * values must stay on the stack. */
int call_read_result(struct running *running, struct lua_State *L, int count);

/* listed.c: the same, of what the library has made of a rule's answer. */
void call_read_audience(struct running *running, struct lua_State *L);
void call_read_snapshot(struct running *running, struct lua_State *L);

/* listed.c: one more text in running->names, borrowed. */
void call_note_name(struct running *running, struct bytes name);

/* result.c: an error that is an answer (the client's JSON was none): fills the result; false: it is
 * an ordinary error. */
bool call_read_refusal(struct running *running, struct lua_State *L);
