/* json: a look at JSON text without building anything from it: whether it is
 * well-formed (RFC 8259), and where its parts stand. Reading JSON into values is the
 * scripts' affair (cjson). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/bytes.h"

struct json_object {
    size_t inside; /* offset behind the opening brace */
    bool empty;    /* no members */
    bool has;      /* a member of the asked name, however its letters are escaped */
};

/* Whether the text is one well-formed object (RFC 8259) and nothing else but white space, at most
 * 1000 levels deep; if so, *object is filled. Ill-formed UTF-8 inside strings is let pass. */
bool json_scan_object(struct bytes text, const char *name, struct json_object *object);

enum json_kind { JSON_OBJECT, JSON_LIST, JSON_TEXT, JSON_NUMBER, JSON_BOOLEAN, JSON_NULL };

/* A value as it is written, without white space around it. */
struct json_value {
    enum json_kind kind;
    struct bytes text;
};

/* The whole text is one well-formed value, at most 1000 levels deep. False: it is none. */
bool json_read(struct bytes text, struct json_value *value);

/* What stands between the brackets of an object or list that json_read found well-formed. */
struct bytes json_inside(const struct json_value *value);

/* Takes the next member off the front of what is left inside an object: its name (a text), and its
 * value. False: there is no other. */
bool json_next_member(struct bytes *rest, struct json_value *name, struct json_value *value);

/* The same for the elements of a list. */
bool json_next_element(struct bytes *rest, struct json_value *value);

/* Appends what a text that json_read found well-formed says; a half of a surrogate pair becomes
 * U+FFFD. It never says more bytes than it is written with. */
void json_text(struct buf *out, const struct json_value *text);
