/* What pages are made of. Text is declared as UTF-8, which is what everyone writes. */
#include "http/types.h"

#include "base/text.h"

#define UTF8 "; charset=utf-8"

static const struct {
    const char *extension, *type;
} types[] = {
    {"html", "text/html" UTF8},
    {"htm", "text/html" UTF8},
    {"css", "text/css" UTF8},
    {"js", "text/javascript" UTF8},
    {"mjs", "text/javascript" UTF8},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"wasm", "application/wasm"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"txt", "text/plain" UTF8},
    {"md", "text/markdown" UTF8},
    {"csv", "text/csv" UTF8},
    {"xml", "application/xml"},
    {"pdf", "application/pdf"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"wav", "audio/wav"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
};

const char *type_of_file(struct bytes name)
{
    size_t dot = name.size;
    while (dot && name.data[dot - 1] != '.') dot--;
    struct bytes extension = bytes_run(name.data + dot, name.size - dot);
    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (text_equal_nocase(extension, bytes_of(types[i].extension))) return types[i].type;
    return "application/octet-stream";
}
