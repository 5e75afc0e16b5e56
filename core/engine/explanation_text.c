/* A block a trigger: what, by whom, how many got it, then a line for each subscriber,
 * those first that did not get it.
 *
 *   2026-11-26T10:14:03.120Z  user:ann  note  id 3f0c…
 *     data: "hello"
 *     emitted by route say (rules/demo.lua:21), for ann
 *     1 delivered, 1 denied; its topic had 2 subscribers then
 *     denied: ann, tab 5b1e… on events: filter of topic user:{user} (rules/demo.lua:14) said no
 *     delivered: ann, tab 77c0… on events */
#include <stddef.h>

#include "base/line.h"
#include "engine/explanation.h"

/* "before it" and the text, if there is one. */
static void say_if(struct buf *out, const char *before, struct bytes text)
{
    if (!text.size) return;
    buf_add_text(out, before);
    line_word(out, text);
}

/* ---- calls ---- */

static void say_call(struct buf *out, const struct explain_call *call)
{
    if (call->what)
        buf_add_bytes(out, atom_bytes(call->what));
    else
        buf_add_text(out, "the link itself");
    if (call->place) buf_printf(out, " (%s)", call->place->text);
    say_if(out, ", for ", bytes_of(call->user));
    if (call->source) {
        say_if(out, ", for ", bytes_of(call->type));
        say_if(out, " of ", atom_bytes(call->source));
        say_if(out, ", key ", bytes_of(call->key));
        say_if(out, ", id ", bytes_of(call->id));
    }
    if (call->end == EXPLAIN_FAILED) say_if(out, "; it failed: ", bytes_of(call->error));
    if (call->end == EXPLAIN_UNHEARD) say_if(out, "; not published: ", bytes_of(call->error));
    if (call->end == EXPLAIN_WAITS) buf_add_text(out, "; it has not ended yet");
    if (call->end == EXPLAIN_DROPPED) buf_add_text(out, "; it was given up");
}

/* ---- subscribers ---- */

static const char *const reasons[FATES] = {
    [FATE_DELIVERED] = "",
    [FATE_REPLAYED] = ": when it came back",
    [FATE_WAITING] = ": in its queue, or on the way there",
    [FATE_PENDING] = " has not answered yet",
    [FATE_DENIED] = " said no",
    [FATE_WITHHELD] = " failed or took too long; a resync makes up for it",
    [FATE_ECHO] = ": this tab caused it",
    [FATE_REPLACED] = ": a newer one with the same key took its place in the queue",
    [FATE_LAGGED] = ": its queue was full; a resync told it",
    [FATE_LATER] = ": it has the topic only since after that",
    [FATE_ABSENT] = ": it does not have the topic",
    [FATE_UNKNOWN] = ": older than the decisions that are kept (explain_decisions)",
};

static bool is_the_rules(enum fate fate)
{
    return fate == FATE_PENDING || fate == FATE_DENIED || fate == FATE_WITHHELD;
}

static void say_hook(struct buf *out, struct bytes what, struct bytes place)
{
    buf_add_bytes(out, what);
    say_if(out, " (", place);
    buf_add_char(out, ')');
}

/* Which of the two waits is not known, where there are both. */
static void say_rule(struct buf *out, const struct explained *explained, const struct shown *shown)
{
    const bool waits = shown->fate == FATE_PENDING;
    const bool audience = explained->audience.data && (waits || shown->audience);
    const bool filter = explained->filter.data && (waits || !shown->audience);
    buf_add_text(out, ": ");
    if (audience) say_hook(out, explained->audience, explained->audience_place);
    if (audience && filter) buf_add_text(out, " or ");
    if (filter) say_hook(out, explained->filter, explained->filter_place);
    if (!audience && !filter)
        buf_add_text(out, shown->audience ? "the audience that it had" : "the filter that it had");
}

static void say_subscriber(struct buf *out, const struct explained *explained,
                           const struct shown *shown)
{
    buf_printf(out, "  %s: ", fate_name(shown->fate));
    if (shown->user)
        line_word(out, atom_bytes(shown->user));
    else
        buf_add_text(out, "somebody without a name");
    say_if(out, ", tab ", atom_bytes(shown->tag));
    say_if(out, " on ", atom_bytes(shown->stream));
    if (is_the_rules(shown->fate)) say_rule(out, explained, shown);
    buf_add_text(out, reasons[shown->fate]);
    buf_add_char(out, '\n');
}

static void say_counts(struct buf *out, const struct explained *explained)
{
    const struct tally *tally = explained->tally;
    const char *comma = "";
    buf_add_text(out, "  ");
    for (enum fate fate = 0; fate < FATES; fate++) {
        if (!tally->counts[fate]) continue;
        buf_printf(out, "%s%u %s", comma, tally->counts[fate], fate_name(fate));
        comma = ", ";
    }
    buf_printf(out, "%sits topic had %u subscriber%s then", *comma ? "; " : "",
               explained->trigger->subscribers, explained->trigger->subscribers == 1 ? "" : "s");
    if (tally->gone)
        buf_printf(out, "; %u that did not get it %s gone", tally->gone,
                   tally->gone == 1 ? "is" : "are");
    if (tally->not_looked_at) buf_printf(out, "; %u not looked at", tally->not_looked_at);
    buf_add_char(out, '\n');
}

static void say_tally(struct buf *out, const struct explained *explained)
{
    const struct tally *tally = explained->tally;
    say_counts(out, explained);
    for (uint32_t i = 0; i < tally->shown_count && i < FATES_SHOWN; i++)
        say_subscriber(out, explained, &tally->shown[i]);
    if (tally->shown_count >= FATES_SHOWN) buf_add_text(out, "  ...\n");
}

/* ---- triggers ---- */

static void say_emission(struct buf *out, const struct explain_trigger *trigger)
{
    buf_add_text(out, "  data: ");
    line_quoted(out, bytes_run(trigger->data, trigger->excerpt_size));
    if (trigger->excerpt_size < trigger->data_size)
        buf_printf(out, "... (%u bytes)", trigger->data_size);
    say_if(out, "; caused by ", atom_bytes(trigger->user));
    say_if(out, ", tab ", atom_bytes(trigger->tag));
    if (trigger->replaces) {
        buf_add_text(out, "; replaces ");
        line_word(out, atom_bytes(trigger->replaces));
    }
    if (trigger->within_ms)
        buf_printf(out, "; within %llu.%03llu s", (unsigned long long)(trigger->within_ms / 1000),
                   (unsigned long long)(trigger->within_ms % 1000));
    buf_add_char(out, '\n');
}

static void say_cause(struct buf *out, const struct explained *explained)
{
    buf_add_text(out, "  emitted by ");
    if (explained->cause)
        say_call(out, explained->cause);
    else if (explained->trigger->elsewhere)
        buf_add_text(out, "another node");
    else
        buf_add_text(out, "what is not kept any more");
    buf_add_char(out, '\n');
}

static void say_state(struct buf *out, const struct explained *explained)
{
    switch (explained->trigger->state) {
    case EXPLAIN_WINDOW:
        buf_add_text(out, "  waits in its window; nobody has it yet\n");
        return;
    case EXPLAIN_MERGED:
        buf_add_text(out, "  gave way to a newer one while it waited in its window");
        break;
    case EXPLAIN_LIMITED:
        buf_add_text(out, "  not sent: its topic had more than its limit; a resync says so\n");
        return;
    case EXPLAIN_LOST:
        buf_add_text(out, "  lost: its topic could not be had, see the log\n");
        return;
    case EXPLAIN_UNPUBLISHED:
        buf_add_text(out, "  not published, as far as is known\n");
        return;
    default:
        return;
    }
    say_if(out, ": ", explained->newer);
    buf_add_char(out, '\n');
}

static void write_trigger(struct buf *out, const struct explained *explained, bool first)
{
    const struct explain_trigger *trigger = explained->trigger;
    (void)first;
    line_time(out, trigger->at_ms);
    buf_add_text(out, "  ");
    line_word(out, atom_bytes(trigger->topic));
    buf_add_text(out, "  ");
    line_word(out, trigger->type ? atom_bytes(trigger->type) : BYTES("resync"));
    say_if(out, "  id ", explained->id);
    buf_add_char(out, '\n');
    say_emission(out, trigger);
    say_cause(out, explained);
    say_state(out, explained);
    if (explained->tally) say_tally(out, explained);
}

/* ---- the whole ---- */

static void begin(struct buf *out)
{
    (void)out;
}

static void write_app(struct buf *out, struct bytes name, bool first, uint64_t since_ms)
{
    buf_printf(out, "%sapp %.*s", first ? "" : "\n", (int)name.size, name.data);
    if (since_ms) {
        buf_add_text(out, ", nothing older is kept than of ");
        line_time(out, since_ms);
    }
    buf_add_char(out, '\n');
}

static void write_calls(struct buf *out)
{
    (void)out;
}

static void write_call(struct buf *out, const struct explain_call *call, bool first)
{
    if (first) buf_add_text(out, "and without emitting anything there ran\n");
    buf_add_text(out, "  ");
    line_time(out, call->at_ms);
    buf_add_text(out, "  ");
    say_call(out, call);
    buf_add_char(out, '\n');
}

static void end_app(struct buf *out, bool nothing)
{
    if (nothing) buf_add_text(out, "  nothing: no kept trigger or call is what is asked for\n");
}

static void end(struct buf *out)
{
    (void)out;
}

const struct explanation_writer explanation_text = {
    begin, write_app, write_trigger, write_calls, write_call, end_app, end};
