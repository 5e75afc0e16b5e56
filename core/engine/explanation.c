/* Windows that wait stand before what is kept: they are newer. The kept are walked
 * from the newest back, so the answer's first are what somebody looks for who has just
 * seen something go wrong. */
#include "engine/explanation.h"

#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "engine/explain.h"
#include "engine/fates.h"
#include "engine/generation.h"
#include "engine/node.h"
#include "engine/seat.h"
#include "hub/standing.h"

/* One app's part of an answer. */
struct part {
    struct app *app;
    const struct explanation_query *query;
    struct atom *user; /* NULL: not asked for */
    uint64_t position; /* of the id; 0: not asked for */
    struct explain_trigger chosen[EXPLANATION_LAST_MAX];
    uint32_t count;
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

/* ---- writing ---- */

static void write_name(struct buf *out, const char *name)
{
    buf_printf(out, ",\"%s\":", name);
}

static void write_text(struct buf *out, const char *name, struct bytes text)
{
    write_name(out, name);
    if (text.data)
        text_json_string(out, text);
    else
        buf_add_text(out, "null");
}

static void write_atom(struct buf *out, const char *name, const struct atom *atom)
{
    write_text(out, name, atom_bytes(atom));
}

static void write_number(struct buf *out, const char *name, uint64_t number)
{
    buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)number);
}

/* Seconds since 1970. */
static void write_time(struct buf *out, const char *name, uint64_t ms)
{
    buf_printf(out, "\"%s\":%llu.%03llu", name, (unsigned long long)(ms / 1000),
               (unsigned long long)(ms % 1000));
}

static void write_id(struct part *part, const char *name, uint64_t position)
{
    char id[CURSOR_SIZE];
    if (position) cursor_write(&app_ports(part->app)->order->epoch, position, id);
    write_text(part->out, name, bytes_run(position ? id : NULL, position ? sizeof(id) : 0));
}

static void write_call(struct buf *out, const struct explain_call *call)
{
    static const char *const ends[] = {"waits", "returned", "failed", "dropped"};
    buf_add_char(out, '{');
    write_time(out, "at", call->at_ms);
    write_atom(out, "what", call->what);
    write_atom(out, "place", call->place);
    write_atom(out, "source", call->source);
    write_text(out, "key", bytes_of(call->key));
    write_text(out, "type", bytes_of(call->type));
    write_text(out, "id", bytes_of(call->id));
    write_text(out, "user", bytes_of(call->user));
    write_number(out, "emitted", call->emitted);
    write_text(out, "end", bytes_of(ends[call->end]));
    write_text(out, "error", bytes_of(call->error));
    buf_add_char(out, '}');
}

static void write_cause(struct part *part, uint64_t cause)
{
    const struct explain_call *call = explain_call_of(app_explain(part->app), cause);
    write_name(part->out, "cause");
    if (call)
        write_call(part->out, call);
    else
        buf_add_text(part->out, "null");
}

/* The filter that the topic has now. */
static void write_filter(struct part *part, const struct explain_trigger *trigger)
{
    const struct plan_topic *topic = app_topic(part->app, atom_bytes(trigger->topic), NULL);
    struct hooks *hooks = generation_hooks(app_generation(part->app));
    struct bytes what, place;
    write_name(part->out, "filter");
    if (!topic || !topic->filter || !hooks->describe ||
        !hooks->describe(hooks, topic->filter, &what, &place)) {
        buf_add_text(part->out, "null");
        return;
    }
    buf_add_text(part->out, "{\"what\":");
    text_json_string(part->out, what);
    write_text(part->out, "place", place);
    buf_add_char(part->out, '}');
}

/* The next one with the same key that took a place; 0: none yet, or it has no key. */
static uint64_t newer_than(const struct part *part, const struct explain_trigger *trigger)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_trigger *other;
    uint64_t newer = 0;
    if (!trigger->replaces || trigger->state == EXPLAIN_WINDOW) return 0;
    for (uint32_t i = 0; (other = explain_trigger_at(explain, i)); i++) {
        if (other->number <= trigger->number) break;
        bool same = other->topic == trigger->topic && other->type == trigger->type &&
                    other->replaces == trigger->replaces;
        if (same && other->position) newer = other->position;
    }
    return newer;
}

static void write_subscriber(struct buf *out, const struct shown *shown)
{
    const struct seat *seat = seat_of(shown->subscriber);
    buf_printf(out, "{\"outcome\":\"%s\"", fate_name(shown->fate));
    write_atom(out, "user", subscriber_user(shown->subscriber));
    write_atom(out, "tag", subscriber_tag(shown->subscriber));
    write_atom(out, "stream", seat->stream->at.name);
    write_number(out, "number", seat_number(seat));
    buf_add_char(out, '}');
}

static void write_tally(struct buf *out, const struct tally *tally)
{
    const char *comma = "";
    write_number(out, "gone", tally->gone);
    write_number(out, "not_looked_at", tally->not_looked_at);
    buf_add_text(out, ",\"outcomes\":{");
    for (enum fate fate = 0; fate < FATES; fate++) {
        if (!tally->counts[fate]) continue;
        buf_printf(out, "%s\"%s\":%u", comma, fate_name(fate), tally->counts[fate]);
        comma = ",";
    }
    buf_add_text(out, "},\"who\":[");
    for (uint32_t i = 0; i < tally->shown_count && i < FATES_SHOWN; i++) {
        if (i) buf_add_char(out, ',');
        write_subscriber(out, &tally->shown[i]);
    }
    buf_add_char(out, ']');
}

static void write_trigger(struct part *part, const struct explain_trigger *trigger,
                          struct fates *fates)
{
    static const char *const states[] = {"placed", "window", "merged", "lost"};
    struct buf *out = part->out;
    buf_add_char(out, '{');
    write_time(out, "at", trigger->at_ms);
    write_text(out, "state", bytes_of(states[trigger->state]));
    write_atom(out, "topic", trigger->topic);
    write_text(out, "type", trigger->type ? atom_bytes(trigger->type) : BYTES("resync"));
    write_id(part, "id", trigger->position);
    write_text(out, "data", bytes_run(trigger->data, trigger->excerpt_size));
    write_number(out, "size", trigger->data_size);
    write_atom(out, "user", trigger->user);
    write_atom(out, "tag", trigger->tag);
    write_atom(out, "replaces", trigger->replaces);
    write_number(out, "within_ms", trigger->within_ms);
    write_id(part, "newer", newer_than(part, trigger));
    write_cause(part, trigger->cause);
    write_filter(part, trigger);
    write_number(out, "subscribers", trigger->subscribers);
    if (trigger->position) {
        struct tally tally;
        fates_tell(fates, trigger, part->user, &tally);
        write_tally(out, &tally);
    }
    buf_add_char(out, '}');
}

static void write_triggers(struct part *part)
{
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < part->count; i++)
        if (part->chosen[i].position && part->chosen[i].position < oldest)
            oldest = part->chosen[i].position;
    struct fates fates;
    fates_create(&fates, app_hub(part->app), app_explain(part->app), oldest);
    buf_add_text(part->out, ",\"triggers\":[");
    for (uint32_t i = 0; i < part->count; i++) {
        if (i) buf_add_char(part->out, ',');
        write_trigger(part, &part->chosen[i], &fates);
    }
    buf_add_char(part->out, ']');
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

static void write_calls(struct part *part)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_call *call;
    uint32_t count = 0;
    buf_add_text(part->out, ",\"calls\":[");
    for (uint32_t i = 0; count < part->query->last && (call = explain_call_at(explain, i)); i++) {
        if (!is_call_asked_for(part, call)) continue;
        if (count++) buf_add_char(part->out, ',');
        write_call(part->out, call);
    }
    buf_add_char(part->out, ']');
}

/* Where nothing was pushed out, everything is there. */
static void write_since(struct part *part)
{
    const struct explain *explain = app_explain(part->app);
    const struct explain_trigger *oldest = explain_oldest(explain);
    buf_add_char(part->out, ',');
    if (oldest && explain_forgot(explain))
        write_time(part->out, "since", oldest->at_ms);
    else
        buf_add_text(part->out, "\"since\":null");
}

static void write_part(struct part *part)
{
    buf_add_text(part->out, "{\"app\":");
    text_json_string(part->out, atom_bytes(app_plan(part->app)->app));
    write_since(part);
    write_triggers(part);
    write_calls(part);
    buf_add_char(part->out, '}');
}

/* ---- the answer ---- */

/* Whether the trigger at this position is kept; else why not. */
static enum explanation look_up(struct node *node, uint64_t position)
{
    bool forgot = false;
    for (size_t i = 0; i < node_apps(node); i++) {
        const struct explain *explain = app_explain(node_app(node, i));
        const struct explain_trigger *trigger;
        for (uint32_t at = 0; (trigger = explain_trigger_at(explain, at)); at++)
            if (trigger->position == position) return EXPLANATION_GIVEN;
        forgot = forgot || explain_forgot(explain);
    }
    return forgot ? EXPLANATION_OLD_ID : EXPLANATION_NO_TRIGGER;
}

enum explanation explanation_write(struct node *node, const struct explanation_query *query,
                                   struct buf *out)
{
    uint64_t position = 0;
    if (query->id.size && node_apps(node)) {
        const struct order *order = app_ports(node_app(node, 0))->order;
        const int64_t read = cursor_read(&order->epoch, query->id);
        if (read < 0) return EXPLANATION_FOREIGN_ID;
        position = (uint64_t)read;
        const enum explanation found = look_up(node, position);
        if (found != EXPLANATION_GIVEN) return found;
    }
    buf_add_text(out, "{\"apps\":[");
    struct atom *user = query->user.size ? atom_get(query->user) : NULL;
    struct part *part = xmalloc(sizeof(*part));
    for (size_t i = 0; i < node_apps(node); i++) {
        *part = (struct part){.app = node_app(node, i),
                              .query = query,
                              .user = user,
                              .position = position,
                              .out = out};
        choose_all(part);
        if (i) buf_add_char(out, ',');
        write_part(part);
    }
    xfree(part);
    atom_unref(user);
    buf_add_text(out, "]}\n");
    return EXPLANATION_GIVEN;
}
