/* Windows that wait stand before what is kept: they are newer. The kept are walked
 * from the newest back, so the answer's first are what somebody looks for who has just
 * seen something go wrong. */
#include "engine/explanation.h"

#include <string.h>

#include "base/alloc.h"
#include "engine/generation.h"
#include "engine/node.h"
#include "hub/standing.h"

/* One app's part of an answer. */
struct part {
    struct app *app;
    const struct explanation_query *query;
    struct atom *user; /* NULL: not asked for */
    uint64_t position; /* of the id; 0: not asked for */
    struct explain_trigger chosen[EXPLANATION_LAST_MAX];
    uint32_t count;
    const struct explanation_writer *writer;
    struct buf *out;
};

/* ---- which ---- */

struct holding {
    const struct atom *topic;
    bool holds;
};

static bool holds_it(void *ctx, struct subscriber *subscriber)
{
    struct holding *holding = ctx;
    holding->holds = standing_of(subscriber, holding->topic, 1) != STANDING_ABSENT;
    return !holding->holds;
}

/* A topic that some subscriber of the user's has, or a trigger that the user caused. */
static bool concerns_user(const struct part *part, const struct explain_trigger *trigger)
{
    if (trigger->user == part->user) return true;
    struct holding holding = {.topic = trigger->topic};
    hub_subscribers_each(app_hub(part->app), part->user, NULL, holds_it, &holding);
    return holding.holds;
}

static bool is_asked_for(const struct part *part, const struct explain_trigger *trigger)
{
    const struct explanation_query *query = part->query;
    if (part->position) return trigger->position == part->position;
    if (query->topic.size) return bytes_equal(atom_bytes(trigger->topic), query->topic);
    return concerns_user(part, trigger);
}

static void choose(struct part *part, const struct explain_trigger *trigger)
{
    const bool room = part->count < part->query->last && part->count < EXPLANATION_LAST_MAX;
    if (room && is_asked_for(part, trigger)) part->chosen[part->count++] = *trigger;
}

static void choose_window(void *ctx, struct atom *topic, const struct emission *emission)
{
    struct part *part = ctx;
    struct explain_trigger trigger = {.state = EXPLAIN_WINDOW,
                                      .at_ms = app_ports(part->app)->clock->wall_ms};
    explain_describe(&trigger, topic, emission);
    choose(part, &trigger);
}

static void choose_all(struct part *part)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_trigger *trigger;
    hub_windows_each(app_hub(part->app), choose_window, part);
    for (uint32_t i = 0; (trigger = explain_trigger_at(explain, i)); i++) choose(part, trigger);
}

/* ---- what of it ---- */

/* Of other servers than its own it says nothing. */
static struct bytes id_of(const struct part *part, const struct explain_trigger *trigger,
                          char id[CURSOR_MAX])
{
    if (!trigger || !trigger->position) return (struct bytes){NULL, 0};
    struct places at = {{0}};
    at.at[trigger->server] = trigger->place;
    return bytes_run(id, cursor_write(&app_ports(part->app)->order->epoch, &at, id));
}

static void add_hooks(const struct part *part, struct explained *explained)
{
    const struct bytes name = atom_bytes(explained->trigger->topic);
    const struct plan_topic *topic = app_topic(part->app, name, NULL);
    struct hooks *hooks = generation_hooks(app_generation(part->app));
    if (!topic || !hooks->describe) return;
    if (topic->filter)
        hooks->describe(hooks, topic->filter, &explained->filter, &explained->filter_place);
    if (topic->audience.ask)
        hooks->describe(hooks, topic->audience.ask, &explained->audience,
                        &explained->audience_place);
}

/* The next one with the same key that took a place; NULL: none yet, or it has no key. */
static const struct explain_trigger *newer_than(const struct part *part, const struct explain_trigger *trigger)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_trigger *other;
    const struct explain_trigger *newer = NULL;
    if (!trigger->replaces || trigger->state == EXPLAIN_WINDOW) return NULL;
    for (uint32_t i = 0; (other = explain_trigger_at(explain, i)); i++) {
        if (other->number <= trigger->number) break;
        bool same = other->topic == trigger->topic && other->type == trigger->type &&
                    other->replaces == trigger->replaces;
        if (same && other->position) newer = other;
    }
    return newer;
}

static void write_trigger(struct part *part, uint32_t index, struct fates *fates)
{
    const struct explain_trigger *trigger = &part->chosen[index];
    char id[CURSOR_MAX], newer[CURSOR_MAX];
    struct tally tally;
    struct explained explained = {.trigger = trigger,
                                  .cause = explain_call_of(app_explain(part->app), trigger->cause),
                                  .id = id_of(part, trigger, id),
                                  .newer = id_of(part, newer_than(part, trigger), newer),
                                  .tally = trigger->position ? &tally : NULL};
    add_hooks(part, &explained);
    if (trigger->position) fates_tell(fates, trigger, part->user, &tally);
    part->writer->trigger(part->out, &explained, index == 0);
}

static void write_triggers(struct part *part)
{
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < part->count; i++)
        if (part->chosen[i].position && part->chosen[i].position < oldest)
            oldest = part->chosen[i].position;
    struct fates fates;
    fates_create(&fates, app_hub(part->app), app_explain(part->app), oldest);
    for (uint32_t i = 0; i < part->count; i++) write_trigger(part, i, &fates);
    fates_destroy(&fates);
}

/* Does the call concern the topic: is it the one that its upstream was declared with, of its key?
 */
static bool is_of_topic(const struct part *part, const struct explain_call *call)
{
    const struct plan_upstream *upstream =
        call->source ? plan_upstream_named(app_plan(part->app), call->source) : NULL;
    if (!upstream || !upstream->topic) return false;
    struct buf name = BUF_EMPTY;
    const struct bytes key = bytes_of(call->key);
    pattern_format(upstream->topic->pattern, &key, &name);
    const bool is = bytes_equal(buf_bytes(&name), part->query->topic);
    buf_destroy(&name);
    return is;
}

static bool is_call_asked_for(const struct part *part, const struct explain_call *call)
{
    const struct explanation_query *query = part->query;
    if (call->emitted || part->position) return false;
    if (query->topic.size) return is_of_topic(part, call);
    return bytes_equal(bytes_of(call->key), query->user) ||
           bytes_equal(bytes_of(call->user), query->user);
}

static uint32_t write_calls(struct part *part)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_call *call;
    uint32_t count = 0;
    for (uint32_t i = 0; count < part->query->last && (call = explain_call_at(explain, i)); i++)
        if (is_call_asked_for(part, call)) part->writer->call(part->out, call, count++ == 0);
    return count;
}

static void write_part(struct part *part, bool first)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_trigger *oldest = explain_oldest(explain);
    const uint64_t since_ms = oldest && explain_forgot(explain) ? oldest->at_ms : 0;
    part->writer->app(part->out, atom_bytes(app_plan(part->app)->app), first, since_ms);
    write_triggers(part);
    part->writer->calls(part->out);
    const uint32_t calls = write_calls(part);
    part->writer->end_app(part->out, !part->count && !calls);
}

/* ---- the answer ---- */

/* What an id names: a trigger by its place, which its cursor holds beside others' places, or one in a
 * history by its publisher's. */
struct named {
    struct places places;
    uint64_t position; /* 0: by its place */
};

/* False: neither. */
static bool read_id(struct node *node, struct bytes id, struct named *named)
{
    static const struct places nowhere = {{0}};
    *named = (struct named){.position = 0};
    if (order_read(app_ports(node_app(node, 0))->order, id, &named->places, NULL) &&
        memcmp(&named->places, &nowhere, sizeof(nowhere)) != 0)
        return true;
    for (size_t i = 0; i < node_apps(node) && !named->position; i++)
        named->position = hub_find_id(app_hub(node_app(node, i)), id);
    return named->position != 0;
}

static bool is_named(const struct named *named, const struct explain_trigger *trigger)
{
    if (named->position) return trigger->position == named->position;
    return trigger->position && trigger->place == named->places.at[trigger->server];
}

/* Where the trigger with this id stands, if it is kept; else why not. */
static enum explanation look_up(struct node *node, struct bytes id, uint64_t *position)
{
    bool forgot = false;
    struct named named;
    *position = 0;
    if (!node_apps(node)) return EXPLANATION_NO_TRIGGER;
    if (!read_id(node, id, &named)) return EXPLANATION_FOREIGN_ID;
    for (size_t i = 0; i < node_apps(node); i++) {
        const struct explain *explain = app_explain(node_app(node, i));
        const struct explain_trigger *trigger;
        for (uint32_t at = 0; (trigger = explain_trigger_at(explain, at)); at++)
            if (is_named(&named, trigger) && trigger->position > *position)
                *position = trigger->position; /* the newest: it had the others' places in front of it */
        forgot = forgot || explain_forgot(explain);
    }
    if (*position) return EXPLANATION_GIVEN;
    return forgot ? EXPLANATION_OLD_ID : EXPLANATION_NO_TRIGGER;
}

enum explanation explanation_write(struct node *node, const struct explanation_query *query,
                                   const struct explanation_writer *writer, struct buf *out)
{
    uint64_t position = 0;
    if (query->id.size) {
        const enum explanation found = look_up(node, query->id, &position);
        if (found != EXPLANATION_GIVEN) return found;
    }
    struct atom *user = query->user.size ? atom_get(query->user) : NULL;
    struct part *part = xmalloc(sizeof(*part));
    writer->begin(out);
    for (size_t i = 0; i < node_apps(node); i++) {
        *part = (struct part){.app = node_app(node, i),
                              .query = query,
                              .user = user,
                              .position = position,
                              .writer = writer,
                              .out = out};
        choose_all(part);
        write_part(part, i == 0);
    }
    writer->end(out);
    xfree(part);
    atom_unref(user);
    return EXPLANATION_GIVEN;
}
