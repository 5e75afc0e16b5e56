/* A cursor that reads is the one that was written for its position, and no other bytes read. */
#include "event/cursor.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hash_key seal = {0x5ea1, 0x5ea2}, mask = {0x3a51, 0x3a52};
    struct cursor_epoch epoch;
    char text[CURSOR_SIZE];
    cursor_epoch_create(&epoch, 1, seal, mask);

    int64_t position = cursor_read(&epoch, bytes_run((const char *)data, size));
    CHECK(position >= -1);
    if (position >= 0) {
        CHECK(size == CURSOR_SIZE);
        cursor_write(&epoch, (uint64_t)position, text);
        CHECK(memcmp(text, data, CURSOR_SIZE) == 0);
    }

    uint64_t chosen = 0;
    for (size_t i = 0; i < size && i < 8; i++) chosen = chosen << 8 | data[i];
    chosen &= INT64_MAX;
    cursor_write(&epoch, chosen, text);
    CHECK(cursor_read(&epoch, bytes_run(text, CURSOR_SIZE)) == (int64_t)chosen);
    for (size_t i = 8; i < size && i < CURSOR_SIZE + 8; i++) { /* one byte changed */
        char kept = text[i - 8];
        if ((char)data[i] == kept) continue;
        text[i - 8] = (char)data[i];
        CHECK(cursor_read(&epoch, bytes_run(text, CURSOR_SIZE)) == -1);
        text[i - 8] = kept;
    }
    return 0;
}
