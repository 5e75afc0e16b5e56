/* redact: text of a recording without its secrets. What stands under a declared
 * name - of a header, a query's or form's field, a JSON member at any depth - is a
 * secret, and so is every cookie's value; from then on its value is hidden
 * wherever it stands (see tape/secrets.h). All that is no secret stays byte by byte,
 * so that a replay feeds the rules what the server fed them.
 *
 * Names are compared without regard to case, '-' and '_': accessToken is access_token. Each function
 * appends to `out`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { REDACT_BODY_MAX = 1 << 20 }; /* above, a body's size is all that is kept */

struct redact;

/* authorization, proxy-authorization, cookie and set-cookie are declared always. */
struct redact *redact_new(const char *const *names, size_t count, uint32_t secrets_max);
void redact_free(struct redact *redact);

/* A header's value. Of credentials the scheme stays ("Bearer"), of cookies their names, of a
 * Set-Cookie its attributes. */
void redact_header(struct redact *redact, struct bytes name, struct bytes value, struct buf *out);

void redact_query(struct redact *redact, struct bytes query, struct buf *out);
void redact_path(struct redact *redact, struct bytes path, struct buf *out);
void redact_url(struct redact *redact, struct bytes url, struct buf *out); /* also a relative one */

/* A text in which only known values are looked for. */
void redact_text(struct redact *redact, struct bytes text, struct buf *out);

/* A body, an event's or a trigger's data, by its content type (may be empty): JSON, a form, else a
 * text. False, and nothing appended: it is not known how to read it (not UTF-8, multipart, JSON that
 * is broken) or it is too large. */
bool redact_body(struct redact *redact, struct bytes type, struct bytes body, struct buf *out);

/* For tape/redact_json.c. */
bool redact_is_secret(const struct redact *redact, struct bytes name);
void redact_name(struct redact *redact, struct bytes value, struct buf *out);
bool redact_known(const struct redact *redact, struct bytes text, struct buf *out);

/* As secrets_count and secrets_full. */
uint32_t redact_count(const struct redact *redact);
bool redact_full(const struct redact *redact);
