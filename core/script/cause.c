#include "script/cause.h"

#include "base/atom.h"
#include "engine/publication.h"
#include "engine/seat.h"
#include "script/call.h"
#include "script/vm.h"
#include "script/vm_hook.h"

static struct explain *explain_of(const struct running *running)
{
    struct app *app = vm_app(running->vm);
    return app && !vm_shadow(running->vm) ? app_explain(app) : NULL;
}

/* Whose doing it is, as far as the call says. */
static struct bytes user_of(const struct hook_call *call)
{
    if (call->kind == HOOK_PRESENCE) return call->key;
    const struct identity *who = call->seat ? seat_identity(call->seat) : call->who;
    return who ? atom_bytes(who->user) : (struct bytes){NULL, 0};
}

static void note(struct running *running)
{
    struct explain *explain = explain_of(running);
    const struct hook_call *call = &running->call;
    if (!explain || running->cause || (call->publication && !call->event)) return;
    const struct vm_hook *info = vm_hook_info(running->vm, call->hook);
    struct atom *task = info ? NULL : atom_of(running->what);
    struct explain_about about = {.what = info ? info->what : task,
                                  .place = info ? info->place : NULL,
                                  .user = user_of(call)};
    if (call->publication) about.user = call->event->user;
    if (call->event) {
        about.source = call->event->source;
        about.key = call->event->key;
        about.type = call->event->type;
        about.id = call->event->id;
    }
    running->cause = explain_begin(explain, &about);
    if (call->publication) publication_cause(call->publication, running->cause);
    atom_unref(task);
}

void cause_begin(struct running *running)
{
    running->cause = 0;
    if (running->call.kind == HOOK_EVENT) note(running);
}

uint64_t cause_of(struct running *running)
{
    note(running);
    return running->cause;
}

void cause_next(struct running *running)
{
    running->cause = 0;
    note(running);
}

/* Events that are handled in one call share its end. */
static void end(struct running *running, enum explain_end end, struct bytes error)
{
    struct explain *explain = explain_of(running);
    const struct publication *publication = running->call.publication;
    if (!explain || !running->cause) return;
    if (!publication) explain_end(explain, running->cause, end, error);
    for (size_t i = 0; publication && i < publication->next; i++)
        if (publication->causes[i]) explain_end(explain, publication->causes[i], end, error);
}

void cause_returned(struct running *running)
{
    end(running, EXPLAIN_RETURNED, BYTES(""));
}

static bool is_question(const struct running *running)
{
    if (running->phase == PHASE_BACKGROUND) return false;
    switch (running->call.kind) {
    case HOOK_AUTHENTICATE:
    case HOOK_AUTHORIZE:
    case HOOK_TOPICS:
    case HOOK_SUBSCRIBE:
    case HOOK_FILTER:
    case HOOK_AUDIENCE_KEY:
    case HOOK_AUDIENCE:
    case HOOK_SNAPSHOT:
        return true;
    default:
        return false;
    }
}

void cause_failed(struct running *running, struct bytes error)
{
    if (!is_question(running)) note(running);
    end(running, EXPLAIN_FAILED, error);
}

void cause_dropped(struct running *running)
{
    end(running, EXPLAIN_DROPPED, BYTES(""));
}

void cause_unheard(struct running *running, const char *why)
{
    end(running, EXPLAIN_UNHEARD, bytes_of(why));
}
