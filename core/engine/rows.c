#include "engine/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/atom.h"
#include "base/netstring.h"
#include "engine/joint.h"
#include "engine/ports.h"
#include "hub/store.h"

enum {
    KEY_MAX = 2048, /* the library can ask for no longer one: script/bind_store.c */
    ROW_MAX = 40,
    KEPT_MS = 86400000,
    SAY_AGAIN_MS = 60000
};

struct rows {
    const struct engine_ports *ports;
    struct store *store;
    struct atom *app;
    struct cluster_letters letters;
    uint64_t said_ms; /* when the log had last that one is not kept; 0: never */
};

static bool read_row(struct bytes text, double *row)
{
    char digits[ROW_MAX + 1], *end;
    if (!text.size || text.size > ROW_MAX) return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    *row = strtod(digits, &end);
    return end == digits + text.size && isfinite(*row);
}

static void say_full(struct rows *rows)
{
    const uint64_t now_ms = rows->ports->clock->now_ms;
    if (rows->said_ms && now_ms - rows->said_ms < SAY_AGAIN_MS) return;
    rows->said_ms = now_ms;
    LOG(rows->ports->log, LOG_WARN, "rows of other nodes are not kept: half of the store is taken",
        F_BYTES("app", atom_bytes(rows->app)));
}

static void raise_to(struct rows *rows, struct bytes key, double row)
{
    char digits[ROW_MAX];
    double before;
    const struct bytes kept = store_get(rows->store, key);
    if (kept.data && read_row(kept, &before) && before >= row) return;
    const int size = snprintf(digits, sizeof(digits), "%.17g", row);
    const bool room = kept.data || store_is_half_free(rows->store);
    if (!room || !store_set(rows->store, key, bytes_run(digits, (size_t)size), KEPT_MS)) say_full(rows);
}

static void on_letter(struct cluster_letters *letters, uint32_t server, struct bytes payload)
{
    struct rows *rows = CONTAINER(letters, struct rows, letters);
    struct bytes app, key, text;
    double row;
    (void)server;
    if (!netstring_take(&payload, &app) || !bytes_equal(app, atom_bytes(rows->app))) return;
    if (!netstring_take(&payload, &key) || !key.data || key.size > KEY_MAX) return;
    if (netstring_take(&payload, &text) && read_row(text, &row)) raise_to(rows, key, row);
}

struct rows *rows_new(const struct engine_ports *ports, struct store *store, struct atom *app)
{
    struct rows *rows = xcalloc(1, sizeof(*rows));
    rows->ports = ports;
    rows->store = store;
    rows->app = atom_ref(app);
    rows->letters = (struct cluster_letters){.kind = "row", .letter = on_letter, .always = true};
    cluster_letters(ports->joint->cluster, &rows->letters);
    return rows;
}

void rows_free(struct rows *rows)
{
    cluster_no_letters(&rows->letters);
    atom_unref(rows->app);
    xfree(rows);
}
