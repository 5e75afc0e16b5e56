/* seal = SipHash(seal key, epoch and places); hidden = place xor
 * SipHash(mask key, seal and, from the second on, the server's index). The seal serves as initialisation
 * vector and as proof at once (the SIV construction, RFC 5297, on 64-bit parts): equal places give
 * equal cursors, different ones share no pattern, and a made-up cursor verifies
 * with a chance of 2^-64. One spelling only, lower-case hex, so that a cursor is
 * equal to another exactly if its text is. */
#include "event/cursor.h"

#include "base/check.h"

static uint64_t seal_of(const struct cursor_epoch *epoch, const struct places *places)
{
    uint64_t content[1 + CURSOR_SERVERS] = {epoch->epoch};
    memcpy(content + 1, places->at, epoch->servers * sizeof(*content));
    return hash_sip(epoch->_seal, content, (1 + epoch->servers) * sizeof(*content));
}

/* Each place has one of its own, or equal places would show. */
static uint64_t mask_of(const struct cursor_epoch *epoch, uint64_t seal, uint32_t server)
{
    const uint64_t content[] = {seal, server};
    return hash_sip(epoch->_mask, content, server ? sizeof(content) : sizeof(seal));
}

static void write_word(char *out, uint64_t word)
{
    for (int i = 15; i >= 0; i--, word >>= 4) out[i] = "0123456789abcdef"[word & 15];
}

static bool read_word(const char *text, uint64_t *word)
{
    *word = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return false;
        *word = *word << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

void cursor_epoch_create(struct cursor_epoch *epoch, uint64_t number, struct hash_key seal,
                         struct hash_key mask)
{
    *epoch = (struct cursor_epoch){._seal = seal, ._mask = mask, .epoch = number, .servers = 1};
}

size_t cursor_write(const struct cursor_epoch *epoch, const struct places *places, char *out)
{
    const uint64_t seal = seal_of(epoch, places);
    write_word(out, seal);
    for (uint32_t i = 0; i < epoch->servers; i++) {
        CHECK(places->at[i] <= INT64_MAX);
        write_word(out + 16 * (i + 1), places->at[i] ^ mask_of(epoch, seal, i));
    }
    return 16 * ((size_t)epoch->servers + 1);
}

bool cursor_read(const struct cursor_epoch *epoch, struct bytes cursor, struct places *places)
{
    uint64_t seal, hidden;
    if (cursor.size != 16 * ((size_t)epoch->servers + 1) || !read_word(cursor.data, &seal))
        return false;
    *places = (struct places){{0}};
    for (uint32_t i = 0; i < epoch->servers; i++) {
        if (!read_word(cursor.data + 16 * (i + 1), &hidden)) return false;
        places->at[i] = hidden ^ mask_of(epoch, seal, i);
        if (places->at[i] > INT64_MAX) return false;
    }
    return seal_of(epoch, places) == seal;
}
