/* publishing: what a call has emitted goes out: at once on a node by itself; where nodes share a Redis the task
 * waits for the answer, with what its function returned still on its stack, so that whoever made the call
 * hears of nothing that was not published. */
#include <lua.h>

#include "base/alloc.h"
#include "engine/carriage.h"
#include "engine/emit.h"
#include "engine/terms.h"
#include "script/call.h"
#include "script/here.h"

struct publishing {
    struct running *running;
    struct carriage *carriage; /* NULL once it is answered */
    bool asked;                /* the rule is told, not who made the call */
    const char *code;
    struct buf text; /* the sentence, or the record */
    bool again;
    struct places places;
};

static void on_carried(void *owner, const struct carried *carried)
{
    struct publishing *publishing = owner;
    publishing->carriage = NULL;
    publishing->code = carried->code;
    publishing->again = carried->again.data != NULL;
    publishing->places = carried->places;
    if (carried->code)
        buf_add_text(&publishing->text, carried->sentence ? carried->sentence : carried->code);
    else
        buf_add_bytes(&publishing->text, carried->again);
    task_wake(&publishing->running->task);
}

/* Who made the call reads it from the result; the text is the running's, as what else the result points to. */
static int collect(lua_State *L, void *ctx)
{
    struct publishing *publishing = ctx;
    struct running *running = publishing->running;
    if (publishing->asked) {
        lua_pushstring(L, publishing->code);
        lua_pushlstring(L, publishing->text.data ? publishing->text.data : "", publishing->text.size);
        return 2;
    }
    if (publishing->code) {
        running->result.outcome = OUTCOME_UNKNOWN;
        running->result.unpublished = publishing->code;
        return 0;
    }
    running->published = publishing->places;
    running->result.published = &running->published;
    if (!publishing->again) return 0;
    buf_destroy(&running->again);
    running->again = publishing->text;
    publishing->text = BUF_EMPTY;
    buf_reserve(&running->again, 1);
    running->result.again = buf_bytes(&running->again);
    return 0;
}

/* Who cannot wait any longer does not know. */
static void release(void *ctx)
{
    struct publishing *publishing = ctx;
    if (publishing->carriage) {
        carriage_give_up(publishing->carriage);
        if (!publishing->asked) publishing->running->result.unpublished = "timeout";
    }
    buf_destroy(&publishing->text);
    xfree(publishing);
}

/* Somebody hears that it was not published, and can do it again: who asked over HTTP, or whoever goes on behind the
 * claim's memo. */
static bool is_answered(const struct running *running)
{
    const enum phase phase = running->phase;
    const struct terms *terms = running->call.terms;
    return phase == (enum phase)HOOK_PUBLISH || phase == (enum phase)HOOK_ROUTE ||
           (terms && terms->memo);
}

static const struct wait_ops waiting = {collect, release};

/* Pushes true: there is nothing to wait for. */
static int settle(struct running *running, lua_State *L, bool asked)
{
    struct app *app = here_app(L);
    const struct terms *terms = asked ? NULL : running->call.terms;
    const bool failed = !asked && running->result.outcome == OUTCOME_UNKNOWN;
    if (here_shadowed(L) || !app_publishes(app) || failed || (!running->batch.count && !terms)) {
        if (asked) call_publish(running);
        lua_pushboolean(L, 1);
        return 1;
    }
    struct publishing *publishing = xcalloc(1, sizeof *publishing);
    publishing->running = running;
    publishing->asked = asked;
    const struct app_emit *emits = call_settle_batch(running);
    publishing->carriage = app_publish(app, emits, running->batch.count, terms, running->result.text,
                                       on_carried, publishing);
    if (!asked && !is_answered(running)) carriage_owe(publishing->carriage);
    batch_clear(&running->batch);
    return task_park(L, here_tasks(L), &waiting, publishing);
}

int call_settle(struct task *task, lua_State *L)
{
    return settle(CONTAINER(task, struct running, task), L, false);
}

int call_flush(struct running *running, lua_State *L)
{
    return settle(running, L, true);
}
