#include "server/shadow.h"

#include "base/text.h"
#include "engine/shadow.h"
#include "server/admin.h"
#include "server/config.h"
#include "server/rules.h"
#include "server/server.h"

/* ---- the report ---- */

struct report {
    struct buf *out;
    bool text;
    size_t count;
};

static void add_difference(void *ctx, struct bytes event, struct bytes lines)
{
    struct report *report = ctx;
    if (report->text) {
        buf_printf(report->out, "\n  %.*s\n", (int)event.size, event.data);
        while (lines.size) {
            const struct bytes line = text_take_line(&lines);
            buf_printf(report->out, "    %.*s\n", (int)line.size, line.data);
        }
        return;
    }
    buf_add_text(report->out, report->count++ ? ",{\"event\":" : "{\"event\":");
    text_json_string(report->out, event);
    buf_add_text(report->out, ",\"lines\":");
    admin_lines(report->out, lines);
    buf_add_char(report->out, '}');
}

static void add_text(struct report *report, const char *app, const struct shadow *shadow)
{
    const struct shadow_counters *counters = shadow_counters(shadow);
    buf_printf(report->out,
               "app %s: %llu events in both, %llu of them different, %llu failed in the shadow, "
               "%llu skipped\n",
               app, (unsigned long long)counters->events, (unsigned long long)counters->different,
               (unsigned long long)counters->failed, (unsigned long long)counters->skipped);
    shadow_differences_each(shadow, add_difference, report);
}

static void add_json(struct report *report, const char *app, const struct shadow *shadow)
{
    const struct shadow_counters *counters = shadow_counters(shadow);
    buf_add_text(report->out, "{\"app\":");
    text_json_string(report->out, bytes_of(app));
    buf_printf(report->out,
               ",\"events\":%llu,\"different\":%llu,\"failed\":%llu,\"skipped\":%llu,"
               "\"differences\":[",
               (unsigned long long)counters->events, (unsigned long long)counters->different,
               (unsigned long long)counters->failed, (unsigned long long)counters->skipped);
    report->count = 0;
    shadow_differences_each(shadow, add_difference, report);
    buf_add_text(report->out, "]}");
}

static void write_report(const struct server *server, bool text, struct buf *out)
{
    struct report report = {.out = out, .text = text};
    if (!text) buf_add_text(out, "{\"apps\":[");
    for (size_t i = 0; i < rules_shadows(server->rules); i++) {
        const char *app;
        const struct shadow *shadow = rules_shadow_at(server->rules, i, &app);
        if (!text && i) buf_add_char(out, ',');
        if (text && i) buf_add_char(out, '\n');
        (text ? add_text : add_json)(&report, app, shadow);
    }
    if (!text) buf_add_text(out, "]}\n");
}

/* ---- the pages ---- */

static const char json_type[] = "application/json", text_type[] = "text/plain; charset=utf-8";

static void refuse_absent(struct exchange *exchange)
{
    admin_refuse(exchange, 404, "no_shadow", "Nothing is shadowed; sluice reload --shadow, or POST /shadow, begins.");
}

/* What is wrong, as text for people or as JSON. */
static void refuse_faults(struct exchange *exchange, struct buf *faults)
{
    struct buf body = BUF_EMPTY;
    if (admin_wants_text(&exchange->request)) {
        admin_answer(exchange, 409, text_type, faults);
        return;
    }
    buf_add_text(&body, "{\"shadowed\":false,\"lines\":");
    admin_lines(&body, buf_bytes(faults));
    buf_add_text(&body, "}\n");
    buf_destroy(faults);
    admin_answer(exchange, 409, json_type, &body);
}

void shadow_begin(struct server *server, struct exchange *exchange)
{
    struct buf faults = BUF_EMPTY, body = BUF_EMPTY;
    struct config *config = config_read(server->config->path, &faults);
    const bool good = config && rules_shadow(server->rules, config, &faults);
    const bool text = admin_wants_text(&exchange->request);
    config_free(config);
    if (!good) {
        refuse_faults(exchange, &faults);
        return;
    }
    buf_destroy(&faults);
    if (text)
        buf_printf(&body, "shadowing %zu apps\n", rules_shadows(server->rules));
    else
        buf_printf(&body, "{\"shadowed\":true,\"apps\":%zu}\n", rules_shadows(server->rules));
    admin_answer(exchange, 200, text ? text_type : json_type, &body);
}

/* The report, and with `drop` no shadow any more. */
static void answer_report(struct server *server, struct exchange *exchange, bool drop)
{
    struct buf body = BUF_EMPTY;
    const bool text = admin_wants_text(&exchange->request);
    if (!rules_shadows(server->rules)) {
        refuse_absent(exchange);
        return;
    }
    write_report(server, text, &body);
    if (drop) rules_unshadow(server->rules);
    admin_answer(exchange, 200, text ? text_type : json_type, &body);
}

void shadow_report(struct server *server, struct exchange *exchange)
{
    answer_report(server, exchange, false);
}

void shadow_drop(struct server *server, struct exchange *exchange)
{
    answer_report(server, exchange, true);
}
