#include "event.h"

#include <stdlib.h>
#include <string.h>

void event_reset(struct event_reader *reader)
{
    reader->length = reader->data_length = 0;
    reader->has_data = 0;
    reader->type[0] = '\0';
    memcpy(reader->id, reader->last_id, sizeof reader->id);
}

static void end_block(struct event_reader *reader, event_f *take, void *owner)
{
    memcpy(reader->last_id, reader->id, sizeof reader->last_id);
    if (reader->has_data) {
        reader->data[reader->data_length] = '\0';
        take(owner, reader->type[0] ? reader->type : "message", reader->data);
    }
    reader->has_data = 0;
    reader->data_length = 0;
    reader->type[0] = '\0';
}

static void copy(char *to, size_t room, const char *from)
{
    size_t length = strlen(from);

    if (length >= room) length = room - 1;
    memcpy(to, from, length);
    to[length] = '\0';
}

static void add_data(struct event_reader *reader, const char *value)
{
    size_t room = sizeof reader->data - 2 - reader->data_length;
    size_t length = strlen(value);

    if (reader->has_data && room > 0) reader->data[reader->data_length++] = '\n';
    if (length > room) length = room;
    memcpy(reader->data + reader->data_length, value, length);
    reader->data_length = (uint16_t)(reader->data_length + length);
    reader->has_data = 1;
}

static void read_field(struct event_reader *reader, const char *name, const char *value)
{
    if (strcmp(name, "data") == 0)
        add_data(reader, value);
    else if (strcmp(name, "event") == 0)
        copy(reader->type, sizeof reader->type, value);
    else if (strcmp(name, "id") == 0)
        copy(reader->id, sizeof reader->id, value);
    else if (strcmp(name, "retry") == 0)
        reader->retry_ms = (uint32_t)strtoul(value, NULL, 10);
}

static void read_line(struct event_reader *reader, event_f *take, void *owner)
{
    char *colon;
    const char *value = "";

    if (reader->length > 0 && reader->line[reader->length - 1] == '\r') reader->length--;
    reader->line[reader->length] = '\0';
    reader->length = 0;
    if (reader->line[0] == '\0') {
        end_block(reader, take, owner);
        return;
    }
    colon = strchr(reader->line, ':');
    if (colon) {
        *colon = '\0';
        value = colon[1] == ' ' ? colon + 2 : colon + 1;
    }
    read_field(reader, reader->line, value);
}

void event_feed(struct event_reader *reader, const char *piece, size_t length, event_f *take,
                void *owner)
{
    const char *end = piece + length;

    while (piece < end) {
        const char *newline = memchr(piece, '\n', (size_t)(end - piece));
        size_t there = (size_t)((newline ? newline : end) - piece);
        size_t room = sizeof reader->line - 1 - reader->length;

        if (there > room) there = room;
        memcpy(reader->line + reader->length, piece, there);
        reader->length = (uint16_t)(reader->length + there);
        if (!newline) return;
        piece = newline + 1;
        read_line(reader, take, owner);
    }
}
