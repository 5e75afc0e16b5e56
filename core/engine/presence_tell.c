/* A call that waits holds what it was lent: the names, and the generation by its
 * errand. Its entry may be forgotten meanwhile. */
#include "base/alloc.h"
#include "engine/errand.h"
#include "engine/presence_state.h"

/* Calls that wait at once; the entries behind them stand in a row. */
enum { CALLS_MAX = 64, TOLD_A_ROUND = 64, RESYNC_MS = 1000 };

struct telling {
    struct presence *presence;
    struct entry *entry; /* NULL: forgotten */
    struct atom *topic, *user;
    struct pattern_match params;
    struct errand errand;
};

static void post(struct presence *presence)
{
    if (!list_empty(&presence->_due) && presence->_calls < CALLS_MAX)
        later_post(presence->_ports->later, LATER_SOON, &presence->_job);
}

/* While a call waits, the next one is due when that has ended. */
static void note(struct entry *entry)
{
    struct presence *presence = entry->topic->presence;
    list_remove(&entry->due);
    if (entry->told == entry->online || entry->call) return;
    list_append(&presence->_due, &entry->due);
    post(presence);
}

void presence_changed(struct entry *entry)
{
    note(entry);
}

void presence_untell(struct entry *entry)
{
    list_remove(&entry->due);
    if (entry->call) entry->call->entry = NULL;
    entry->call = NULL;
}

static void failed(struct telling *telling, uint64_t cause)
{
    struct presence *presence = telling->presence;
    presence->counters.failed++;
    if (!telling->entry || presence->_stopped) return;
    struct presence_topic *topic = telling->entry->topic;
    topic->cause = cause;
    if (!timer_armed(&topic->resync))
        clock_after(presence->_ports->clock, &topic->resync, RESYNC_MS);
}

static void on_told(void *owner, const struct hook_result *result)
{
    struct telling *telling = owner;
    struct presence *presence = telling->presence;
    struct entry *entry = telling->entry;
    errand_over(&telling->errand);
    presence->_calls--;
    if (result->outcome == OUTCOME_UNKNOWN) failed(telling, result->cause);
    pattern_match_destroy(&telling->params);
    atom_unref(telling->topic);
    atom_unref(telling->user);
    xfree(telling);
    if (entry) {
        entry->call = NULL;
        note(entry);
        presence_release(entry);
    }
    post(presence);
}

static void ask(struct entry *entry)
{
    struct presence *presence = entry->topic->presence;
    const struct plan_topic *declared = entry->topic->declared;
    struct telling *telling = xcalloc(1, sizeof(*telling));
    *telling = (struct telling){.presence = presence,
                                .entry = entry,
                                .topic = atom_ref(entry->topic->name),
                                .user = atom_ref(entry->user)};
    pattern_match(declared->pattern, atom_bytes(telling->topic), &telling->params);
    entry->call = telling;
    presence->_calls++;
    const struct hook_call change = {.kind = HOOK_PRESENCE,
                                     .hook = declared->presence.change,
                                     .key = atom_bytes(telling->user),
                                     .reason = entry->told ? "online" : "offline",
                                     .pattern = declared->pattern,
                                     .params = &telling->params};
    errand_start(&telling->errand, *presence->_generation, &change, on_told, telling);
}

static void tell(struct entry *entry)
{
    list_remove(&entry->due);
    entry->told = entry->online;
    if (!entry->topic->declared->presence.change) {
        presence_release(entry);
        return;
    }
    entry->topic->presence->counters.changes++;
    ask(entry);
}

void presence_tell(struct job *job)
{
    struct presence *presence = CONTAINER(job, struct presence, _job);
    for (int i = 0; i < TOLD_A_ROUND && presence->_calls < CALLS_MAX; i++) {
        if (list_empty(&presence->_due)) return;
        tell(CONTAINER(presence->_due.next, struct entry, due));
    }
    post(presence);
}
