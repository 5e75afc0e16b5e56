/* A text is looked through once, however many values are known: their spellings
 * stand in a dictionary by their first bytes, and a table of bits says of most
 * places that none begins there. */
#include "tape/secrets.h"

#include "base/alloc.h"
#include "base/dict.h"
#include "base/text.h"

enum { PAIRS = 1 << 16 };

struct spelling {
    struct spelling *next; /* with the same beginning; longer ones first */
    uint32_t number;
    size_t size;
    char text[];
};

struct secrets {
    struct dict numbers;   /* value -> its number, as a pointer */
    struct dict spellings; /* first bytes -> struct spelling */
    uint32_t most;
    bool full;
    uint8_t begins[PAIRS / 8]; /* a bit each pair of bytes that a spelling begins with */
};

struct secrets *secrets_new(uint32_t most)
{
    struct secrets *secrets = xcalloc(1, sizeof(*secrets));
    secrets->most = most;
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    for (struct dict_entry *entry = NULL; (entry = dict_next(&secrets->spellings, entry));) {
        for (struct spelling *spelling = entry->value, *next; spelling; spelling = next) {
            next = spelling->next;
            xfree(spelling);
        }
    }
    dict_destroy(&secrets->spellings);
    dict_destroy(&secrets->numbers);
    xfree(secrets);
}

static unsigned pair_of(const char *text)
{
    return (unsigned)(unsigned char)text[0] << 8 | (unsigned char)text[1];
}

static void add_spelling(struct secrets *secrets, struct bytes text, uint32_t number)
{
    const struct bytes begin = bytes_run(text.data, SECRETS_SHORTEST);
    struct spelling *spelling = xmalloc(sizeof(*spelling) + text.size);
    spelling->number = number;
    spelling->size = text.size;
    memcpy(spelling->text, text.data, text.size);
    struct spelling *first = dict_get(&secrets->spellings, begin), **at = &first;
    while (*at && (*at)->size > text.size) at = &(*at)->next;
    spelling->next = *at;
    *at = spelling;
    dict_set(&secrets->spellings, begin, first);
    secrets->begins[pair_of(text.data) / 8] |= (uint8_t)(1 << pair_of(text.data) % 8);
}

static void learn(struct secrets *secrets, struct bytes value, uint32_t number)
{
    struct buf encoded = BUF_EMPTY, decoded = BUF_EMPTY;
    dict_set(&secrets->numbers, value, (void *)(uintptr_t)number);
    if (value.size < SECRETS_SHORTEST) return;
    add_spelling(secrets, value, number);
    text_percent_encode(&encoded, value);
    if (encoded.size != value.size) add_spelling(secrets, buf_bytes(&encoded), number);
    const bool well = text_percent_decode(&decoded, value, false);
    if (well && decoded.size != value.size && decoded.size >= SECRETS_SHORTEST)
        add_spelling(secrets, buf_bytes(&decoded), number); /* a cookie's, mostly */
    buf_destroy(&encoded);
    buf_destroy(&decoded);
}

void secrets_name(struct secrets *secrets, struct bytes value, struct buf *out)
{
    if (!value.size) return;
    uint32_t number = (uint32_t)(uintptr_t)dict_get(&secrets->numbers, value);
    if (!number && secrets->numbers.count == secrets->most) {
        secrets->full = true;
    } else if (!number) {
        number = secrets->numbers.count + 1;
        learn(secrets, value, number);
    }
    buf_printf(out, "secret-%u", number);
}

/* The longest spelling that the text begins with. */
static const struct spelling *spelling_at(const struct secrets *secrets, struct bytes text)
{
    const unsigned pair = pair_of(text.data);
    if (!(secrets->begins[pair / 8] >> pair % 8 & 1)) return NULL;
    const struct spelling *spelling =
        dict_get(&secrets->spellings, bytes_run(text.data, SECRETS_SHORTEST));
    while (spelling && (spelling->size > text.size ||
                        memcmp(spelling->text, text.data, spelling->size) != 0))
        spelling = spelling->next;
    return spelling;
}

bool secrets_replace(const struct secrets *secrets, struct bytes text, struct buf *out)
{
    size_t copied = 0, at = 0;
    bool any = false;
    while (text.size - at >= SECRETS_SHORTEST) {
        const struct spelling *spelling =
            spelling_at(secrets, bytes_run(text.data + at, text.size - at));
        if (!spelling) {
            at++;
            continue;
        }
        buf_add(out, text.data + copied, at - copied);
        buf_printf(out, "secret-%u", spelling->number);
        copied = at += spelling->size;
        any = true;
    }
    if (copied < text.size) buf_add(out, text.data + copied, text.size - copied);
    return any;
}

uint32_t secrets_count(const struct secrets *secrets)
{
    return secrets->numbers.count;
}

bool secrets_full(const struct secrets *secrets)
{
    return secrets->full;
}
