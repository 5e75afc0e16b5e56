#include <stddef.h>

#include "base/text.h"
#include "engine/explanation.h"

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

static void add_call(struct buf *out, const struct explain_call *call)
{
    static const char *const ends[] = {"waits", "returned", "failed", "dropped", "unpublished"};
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

/* null, or the call. */
static void write_cause(struct buf *out, const struct explain_call *call)
{
    write_name(out, "cause");
    if (call)
        add_call(out, call);
    else
        buf_add_text(out, "null");
}

static void write_hook(struct buf *out, const char *name, struct bytes what, struct bytes place)
{
    write_name(out, name);
    if (!what.data) {
        buf_add_text(out, "null");
        return;
    }
    buf_add_text(out, "{\"what\":");
    text_json_string(out, what);
    write_text(out, "place", place);
    buf_add_char(out, '}');
}

static void write_subscriber(struct buf *out, const struct shown *shown)
{
    buf_printf(out, "{\"outcome\":\"%s\"", fate_name(shown->fate));
    if (shown->fate == FATE_DENIED || shown->fate == FATE_WITHHELD)
        write_text(out, "by", bytes_of(shown->audience ? "audience" : "filter"));
    write_atom(out, "user", shown->user);
    write_atom(out, "tag", shown->tag);
    write_atom(out, "stream", shown->stream);
    write_number(out, "number", shown->number);
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

static void write_trigger(struct buf *out, const struct explained *explained, bool first)
{
    static const char *const states[] = {"placed", "window", "merged", "limited", "lost",
                                         "unpublished"};
    const struct explain_trigger *trigger = explained->trigger;
    buf_add_text(out, first ? "{" : ",{");
    write_time(out, "at", trigger->at_ms);
    write_text(out, "state", bytes_of(states[trigger->state]));
    write_atom(out, "topic", trigger->topic);
    write_text(out, "type", trigger->type ? atom_bytes(trigger->type) : BYTES("resync"));
    write_text(out, "id", explained->id);
    write_text(out, "data", bytes_run(trigger->data, trigger->excerpt_size));
    write_number(out, "size", trigger->data_size);
    write_atom(out, "user", trigger->user);
    write_atom(out, "tag", trigger->tag);
    write_atom(out, "replaces", trigger->replaces);
    write_number(out, "within_ms", trigger->within_ms);
    write_text(out, "newer", explained->newer);
    write_cause(out, explained->cause);
    buf_add_text(out, trigger->elsewhere ? ",\"elsewhere\":true" : ",\"elsewhere\":false");
    write_hook(out, "filter", explained->filter, explained->filter_place);
    write_hook(out, "audience", explained->audience, explained->audience_place);
    write_number(out, "subscribers", trigger->subscribers);
    if (explained->tally) write_tally(out, explained->tally);
    buf_add_char(out, '}');
}

static void begin(struct buf *out)
{
    buf_add_text(out, "{\"apps\":[");
}

static void write_app(struct buf *out, struct bytes name, bool first, uint64_t since_ms)
{
    buf_add_text(out, first ? "{\"app\":" : ",{\"app\":");
    text_json_string(out, name);
    buf_add_char(out, ',');
    if (since_ms)
        write_time(out, "since", since_ms);
    else
        buf_add_text(out, "\"since\":null");
    buf_add_text(out, ",\"triggers\":[");
}

static void write_calls(struct buf *out)
{
    buf_add_text(out, "],\"calls\":[");
}

static void write_call(struct buf *out, const struct explain_call *call, bool first)
{
    if (!first) buf_add_char(out, ',');
    add_call(out, call);
}

static void end_app(struct buf *out, bool nothing)
{
    (void)nothing;
    buf_add_text(out, "]}");
}

static void end(struct buf *out)
{
    buf_add_text(out, "]}\n");
}

const struct explanation_writer explanation_json = {
    begin, write_app, write_trigger, write_calls, write_call, end_app, end};
