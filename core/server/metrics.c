#include "server/metrics.h"

#include "server/families.h"
#include "server/measures.h"
#include "server/server.h"

static void write_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_measures(const struct server *server, const struct measure *list, size_t count,
                           struct buf *out)
{
    for (size_t m = 0; m < count; m++) {
        write_head(out, list[m].name, list[m].help, list[m].type);
        list[m].write(server, list[m].name, out);
    }
}

void metrics_write(const struct server *server, struct buf *out)
{
    write_measures(server, measures, measure_count, out);
    if (server->joint) write_measures(server, joint_measures, joint_measure_count, out);
    for (size_t f = 0; f < family_count; f++) {
        const struct family *family = &families[f];
        write_head(out, family->name, family->help, family->type);
        const size_t count = family_values(family, server);
        for (size_t i = 0; i < count; i++) {
            if (family->label)
                buf_printf(out, "%s{%s=\"%s\"} %.15g\n", family->name, family->label,
                           family->label_value(server, i), family->read(server, i));
            else
                buf_printf(out, "%s %.15g\n", family->name, family->read(server, i));
        }
    }
}

static void write_row(struct buf *out, const char *name, const char *label, const char *type,
                      const char *help)
{
    buf_printf(out, "| `%s%s%s%s` | %s | %s |\n", name, label ? "{" : "", label ? label : "",
               label ? "}" : "", type, help);
}

static void write_table(struct buf *out)
{
    buf_add_text(out, "\n| metric | type | meaning |\n|---|---|---|\n");
}

void metrics_write_page(struct buf *out)
{
    buf_add_text(out, "# Metrics\n\nGenerated from the registry by `make docs`. Served as Prometheus "
                      "text at `/metrics` of the admin listener.\n");
    write_table(out);
    for (size_t f = 0; f < family_count; f++)
        write_row(out, families[f].name, families[f].label, families[f].type, families[f].help);
    for (size_t m = 0; m < measure_count; m++)
        write_row(out, measures[m].name, measures[m].label, measures[m].type, measures[m].help);
    buf_add_text(out, "\n## Of a node in a cluster\n\nOnly where the config names `redis`. `server` is the "
                      "url without user and password. What to alert on: [operations.md](operations.md).\n");
    write_table(out);
    for (size_t m = 0; m < joint_measure_count; m++)
        write_row(out, joint_measures[m].name, joint_measures[m].label, joint_measures[m].type,
                  joint_measures[m].help);
}
